#!/usr/bin/env bash
# Pillow 13.0.0 reads the lightest colours of a JPEG 2000 file of more than 8 bits per channel as 0.
#
# Packages: pillow 13.0.0, imagecodecs 2026.3.6, numpy 2.4.6 (CPython 3.11, Linux x86-64).
#
# Behaviour seen: a lossless RGB picture of 16 bits opens as mode RGB. Levels up to 65407 become
# their upper byte, rounded; from 65408 on, white among them, they become 0. No error, no warning.
# Twelve bits: 4088 and above. Grey of 9 bits opens as mode L, and does the same: 511 is 0. Grey of
# 16 bits (mode I;16) is right, and imagecodecs reads every level back from the same bytes.
#
# Why: it reads as if half a level were added before the shift to 8 bits, and the sum were cut to a
# byte instead of being held at 255.
#
# Output seen:
#   rgb 16 bits: 65280 -> 255, 65407 -> 255, 65408 -> 0, 65535 -> 0
#   rgb 12 bits: 4080 -> 255, 4087 -> 255, 4088 -> 0, 4095 -> 0
#   grey 9 bits: 508 -> 254, 510 -> 255, 511 -> 0
#   grey 16 bits: 65280 -> 65280, 65408 -> 65408, 65535 -> 65535
#
# Exit status 0 while this is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    pillow==13.0.0 imagecodecs==2026.3.6 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' | tee "$folder/seen"
import io

import imagecodecs
import numpy as np
from PIL import Image


def seen(name, bits, channels, levels):
    found = []
    for level in levels:
        pixels = np.full((16, 24, channels) if channels > 1 else (16, 24), level, np.uint16)
        data = imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, bitspersample=bits)
        assert (imagecodecs.jpeg2k_decode(data) == pixels).all()
        with Image.open(io.BytesIO(data)) as image:
            values = np.unique(np.asarray(image))
        assert values.size == 1
        found.append(f"{level} -> {values[0]}")
    print(f"{name} {bits} bits:", ", ".join(found))


seen("rgb", 16, 3, (65280, 65407, 65408, 65535))
seen("rgb", 12, 3, (4080, 4087, 4088, 4095))
seen("grey", 9, 1, (508, 510, 511))
seen("grey", 16, 1, (65280, 65408, 65535))
PYTHON
diff - "$folder/seen" <<'EXPECTED'
rgb 16 bits: 65280 -> 255, 65407 -> 255, 65408 -> 0, 65535 -> 0
rgb 12 bits: 4080 -> 255, 4087 -> 255, 4088 -> 0, 4095 -> 0
grey 9 bits: 508 -> 254, 510 -> 255, 511 -> 0
grey 16 bits: 65280 -> 65280, 65408 -> 65408, 65535 -> 65535
EXPECTED
