#!/usr/bin/env bash
# FFmpeg's QuickTime muxer (PyAV 18.1.0) keeps the length of a comment modulo 65536, silently.
#
# Packages: av 18.1.0 (FFmpeg 8.1), numpy 2.4.6 (CPython 3.11, Linux x86-64).
#
# Behaviour seen: metadata of a .mov that is longer than 65535 bytes comes back shorter: of 65536
# bytes nothing, of 70000 the first 4464. Writing and reading give no error and no warning, and a
# title in the same file is whole. MP4 keeps all of it; so does .mov with the option
# movflags=use_metadata_tags, which writes another kind of metadata.
#
# Why: text in QuickTime's user data has a length of 16 bits, and the length is cut to it.
#
# Output seen:
#   .mov: 65535 -> 65535, 65536 -> 0, 70000 -> 4464, 140000 -> 8928
#   .mov, use_metadata_tags: 65535 -> 65535, 65536 -> 65536, 70000 -> 70000, 140000 -> 140000
#   .mp4: 65535 -> 65535, 65536 -> 65536, 70000 -> 70000, 140000 -> 140000
#
# Exit status 0 while this is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$folder/env/bin/python" - "$folder" <<'PYTHON' | tee "$folder/seen"
import sys

import av

LENGTHS = (65535, 65536, 70000, 140000)


def kept(path, length, options):
    with av.open(path, "w", options=options) as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        film.metadata["comment"] = "x" * length
        film.metadata["title"] = "whole"
        film.mux(stream.encode(av.VideoFrame(48, 32, "yuv420p")))
        film.mux(stream.encode(None))
    with av.open(path) as film:
        assert film.metadata["title"] == "whole"
        return len(film.metadata.get("comment", ""))


for name, suffix, options in (
    (".mov", ".mov", {}),
    (".mov, use_metadata_tags", ".mov", {"movflags": "use_metadata_tags"}),
    (".mp4", ".mp4", {}),
):
    path = f"{sys.argv[1]}/film{suffix}"
    print(f"{name}:", ", ".join(f"{n} -> {kept(path, n, options)}" for n in LENGTHS))
PYTHON
diff - "$folder/seen" <<'EXPECTED'
.mov: 65535 -> 65535, 65536 -> 0, 70000 -> 4464, 140000 -> 8928
.mov, use_metadata_tags: 65535 -> 65535, 65536 -> 65536, 70000 -> 70000, 140000 -> 140000
.mp4: 65535 -> 65535, 65536 -> 65536, 70000 -> 70000, 140000 -> 140000
EXPECTED
