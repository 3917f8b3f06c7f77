#!/usr/bin/env bash
# Pillow's ImageCms (LittleCMS 2.19) is far off in dark colours unless it is told not to optimise:
# grey of linear light by 10 levels of 255, L*a*b* by more than 20.
#
# Package: pillow 13.0.0, numpy 2.4.6 (CPython 3.11, Linux x86-64).
#
# Behaviour seen: `ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")` of 8 bits.
#   * Mode L with a GRAY profile of gamma 1.0: level 2 of linear light is 21.7 of sRGB by the
#     formula of IEC 61966-2-1; it comes out as 12. The curve is joined by straight lines between
#     every eighth level or so: 1, 2, 3, 4 become 6, 12, 19, 25 instead of 13, 22, 28, 34.
#   * Mode LAB, profiles of ImageCms.createProfile: more than 20 levels off, for colours within sRGB.
# With the flag NOOPTIMIZE (0x0100) both are right to half a level. HIGHRESPRECALC (0x0400), which
# sounds like the remedy, halves the error of grey only (7 levels). RGB of primaries and curves is
# right with and without it.
#
# Output seen: the lines below "EXPECTED".
#
# Exit status 0 while this is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' | tee "$folder/seen"
import io
import struct

import numpy as np
from PIL import Image, ImageCms


def grey_profile():
    """Return a GRAY profile of gamma 1.0: as LittleCMS's own, but for the curve."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    word = b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, 2, 28) + b"\0g\0\0"
    curve = b"curv" + struct.pack(">IIHH", 0, 1, 256, 0)
    tags = {b"desc": word, b"cprt": word, b"wtpt": white, b"kTRC": curve}
    at, listed, body = 132 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        listed += struct.pack(">4sII", name, at + len(body), len(tag))
        body += tag
    head = bytearray(128)
    head[:4] = struct.pack(">I", at + len(body))
    head[8:24] = b"\x04\x20\0\0mntrGRAYXYZ "
    head[36:40] = b"acsp"
    head[68:80] = white[8:]
    return ImageCms.ImageCmsProfile(
        io.BytesIO(bytes(head) + struct.pack(">I", len(tags)) + listed + body)
    )


def encoded(linear):
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


srgb = ImageCms.createProfile("sRGB")
ramp = np.arange(256, dtype=np.uint8)[np.newaxis]
for name, flags in (("default", 0), ("HIGHRESPRECALC", 0x0400), ("NOOPTIMIZE", 0x0100)):
    made = ImageCms.profileToProfile(
        Image.fromarray(ramp), grey_profile(), srgb, outputMode="RGB", flags=flags
    )
    made = np.asarray(made)[0, :, 0].astype(float)
    error = np.abs(made - encoded(ramp[0] / 255)).max()
    print(f"grey, {name}: 1 2 3 4 are", *made[1:5].astype(int), f"off by {error:.1f} at most")

# Colours within sRGB: made from it by the formulas of CIE L*a*b*.
rng = np.random.RandomState(0)
values = rng.randint(0, 256, (400, 400, 3))
stored = values / 255.0
linear = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
matrix = [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.7141]]
t = linear @ np.transpose(matrix) / [0.9642, 1.0, 0.8249]
f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
lab = np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)
whole = np.rint(lab * [2.55, 1, 1]).astype(int).astype(np.int8).view(np.uint8)
whole[..., 0] = np.rint(lab[..., 0] * 2.55)
image = Image.frombytes("LAB", (400, 400), whole.tobytes())
exact = ImageCms.profileToProfile(
    image, ImageCms.createProfile("LAB"), srgb, outputMode="RGB", flags=0x0100
)
quick = ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), srgb, outputMode="RGB")
exact, quick = (np.asarray(made).astype(int) for made in (exact, quick))
print("L*a*b*, default: more than 20 levels from NOOPTIMIZE:", np.abs(quick - exact).max() > 20)
PYTHON
diff - "$folder/seen" <<'EXPECTED'
grey, default: 1 2 3 4 are 6 12 19 25 off by 9.7 at most
grey, HIGHRESPRECALC: 1 2 3 4 are 7 15 22 30 off by 6.7 at most
grey, NOOPTIMIZE: 1 2 3 4 are 13 22 28 34 off by 0.5 at most
L*a*b*, default: more than 20 levels from NOOPTIMIZE: True
EXPECTED
