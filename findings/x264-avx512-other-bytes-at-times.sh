#!/usr/bin/env bash
# x264 in PyAV 18.1.0, one thread, AVX-512: the same frames give other bytes once in some hundred runs.
#
# Packages: av 18.1.0 (FFmpeg 8.1, x264 165), numpy 2.4.6 (CPython 3.11, Linux x86-64); a processor
# with AVX-512. The wheel of av 15.1.0 does the same.
#
# Behaviour seen: three frames of 160x96 through libx264 (preset medium, crf 18, threads=1,
# lookahead-threads=1) make one of a few results, in one process, one after the other: the usual
# one, and about one run in 150 another, in which single macroblocks of a frame are coded otherwise.
# All decode. The frames' buffers are filled to the last byte, so that nothing outside the picture
# differs. With x264's option asm= and no AVX-512 in it there is one result only; with
# cpu-independent=1, too, whatever the instructions, and the result is that of plain C.
#
# Why: not known. It needs functions that cpu-independent=1 leaves out, in their AVX-512 version, and
# it is as if they read memory that nobody has written: here, files that are left to the garbage
# collector keep memory moving; where each was closed, the same frames gave one result in 1500 runs.
# In a program that had other things to do it was seen with files that were closed, too.
#
# Output seen:
#   default: more than one result
#   cpu-independent=1: one result
#
# Exit status 0 while this is so, 1 when it has changed; 2 on a processor without AVX-512, where
# there is nothing to see. By chance the first line says "one result" in one of 10^8 runs.
set -euo pipefail
if [ "$(uname -m)" != x86_64 ] || ! grep -qw avx512bw /proc/cpuinfo; then
  echo "this processor has no AVX-512" >&2
  exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' | tee "$folder/seen"
import hashlib

import av
import numpy as np

H, W = 96, 160
COLOURS = ((81, 90, 240), (145, 54, 34), (41, 240, 110))


def planes_of(number):
    for channel in range(3):
        plane = np.empty((H, W), np.uint8)
        plane[: H // 2, : W // 2] = COLOURS[0][channel]
        plane[: H // 2, W // 2 :] = COLOURS[1][channel]
        plane[H // 2 :, : W // 2] = COLOURS[2][channel]
        plane[H // 2 :, W // 2 :] = 33 + 8 * number if channel == 0 else 128
        yield plane if channel == 0 else plane[::2, ::2]


def encoded(params):
    film = av.open("/dev/null", "w", format="matroska")
    options = {"preset": "medium", "bf": "0", "threads": "1", "crf": "18", "x264-params": params}
    stream = film.add_stream("libx264", rate=25, options=options)
    stream.height, stream.width, stream.pix_fmt = H, W, "yuv420p"
    digest = hashlib.sha256()
    for number in range(3):
        frame = av.VideoFrame(W, H, "yuv420p")
        for plane, part in zip(frame.planes, planes_of(number)):
            memory = np.frombuffer(plane, np.uint8)
            memory[:] = 128
            rows = memory[: plane.height * plane.line_size].reshape(plane.height, -1)
            rows[:, : plane.width] = part
        frame.pts = number
        for packet in stream.encode(frame):
            digest.update(bytes(packet))
    for packet in stream.encode(None):
        digest.update(bytes(packet))
    return digest.hexdigest()


for name, params in (
    ("default", "lookahead-threads=1"),
    ("cpu-independent=1", "lookahead-threads=1:cpu-independent=1"),
):
    results = set()
    for _ in range(3000):
        results.add(encoded(params))
        if len(results) > 1:
            break
    print(f"{name}:", "one result" if len(results) == 1 else "more than one result")
PYTHON
diff - "$folder/seen" <<'EXPECTED'
default: more than one result
cpu-independent=1: one result
EXPECTED
