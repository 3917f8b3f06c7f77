#!/usr/bin/env bash
# What OpenCV makes of a TIFF with IMREAD_UNCHANGED depends on its depth: the same picture of 8 and
# of 16 bits comes out by other rules.
#
# Packages: opencv-python-headless 5.0.0.93, tifffile 2026.3.3, numpy 2.4.6 (CPython 3.11, Linux
# x86-64).
#
# Behaviour seen, every file uncompressed and little-endian:
#   * RGBA whose alpha is unassociated (ExtraSamples 2): the colours of 8 bits are multiplied by
#     alpha, those of 16 bits are not. Associated alpha (ExtraSamples 1) is left alone in both, so
#     that nothing in the array tells which of them it was.
#   * Grey with white as zero (MinIsWhite): 8 bits are turned round, 16 bits are a negative.
#   * RGB in planes (PlanarConfiguration 2): 8 bits are right; 16 bits and float32 are scrambled,
#     silently: the first values of the red plane are taken for red, green and blue of a pixel.
#   * Grey with alpha of 16 bits: comes out as uint8.
#
# Output seen: the lines below "EXPECTED".
#
# Exit status 0 while this is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    opencv-python-headless==5.0.0.93 tifffile==2026.3.3 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null | tee "$folder/seen"
import io

import cv2
import numpy as np
import tifffile


def read(pixels, photometric, extra=None, planes=False):
    """Return what OpenCV makes of a TIFF of tifffile's, channels in the order of the file."""
    file = io.BytesIO()
    stored = pixels.transpose(2, 0, 1) if planes else pixels
    tifffile.imwrite(
        file, np.ascontiguousarray(stored), photometric=photometric, metadata=None,
        planarconfig=None if pixels.ndim == 2 else "separate" if planes else "contig",
        extrasamples=None if extra is None else [extra],
    )
    file.seek(0)
    back = tifffile.imread(file)
    assert np.array_equal(back, stored)
    made = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
    if made.ndim == 3:
        made = made[..., [2, 1, 0, 3][: made.shape[2]]]
    return made


def verdict(made, pixels):
    top = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    if made.shape != pixels.shape or made.dtype != pixels.dtype:
        return f"{made.dtype} of {made.shape}"
    if np.array_equal(made, pixels):
        return "as stored"
    if np.array_equal(made, top - pixels):
        return "turned round"
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        share = pixels[..., 3:] / top
        if np.abs(made[..., :3] - pixels[..., :3] * share).max() <= 1:
            return "multiplied by alpha"
    if np.array_equal(made[0, 0], pixels[0, :3, 0]):
        return "scrambled: three reds make a pixel"
    return "something else"


rng = np.random.RandomState(5)
for dtype in (np.uint8, np.uint16):
    name, top = np.dtype(dtype).name, np.iinfo(dtype).max + 1
    rgba = rng.randint(0, top, (13, 11, 4)).astype(dtype)
    grey = rng.randint(0, top, (13, 11)).astype(dtype)
    print(f"{name}, unassociated alpha: {verdict(read(rgba, 'rgb', extra=2), rgba)}")
    print(f"{name}, associated alpha: {verdict(read(rgba, 'rgb', extra=1), rgba)}")
    print(f"{name}, white is zero: {verdict(read(grey, 'miniswhite'), grey)}")
    rgb = np.ascontiguousarray(rgba[..., :3])
    print(f"{name}, planes: {verdict(read(rgb, 'rgb', planes=True), rgb)}")
    pair = np.ascontiguousarray(rgba[..., :2])
    print(f"{name}, grey with alpha: {verdict(read(pair, 'minisblack', extra=2), pair)}")
rgb = rng.rand(13, 11, 3).astype(np.float32)
print(f"float32, planes: {verdict(read(rgb, 'rgb', planes=True), rgb)}")
PYTHON
diff - "$folder/seen" <<'EXPECTED'
uint8, unassociated alpha: multiplied by alpha
uint8, associated alpha: as stored
uint8, white is zero: turned round
uint8, planes: as stored
uint8, grey with alpha: uint8 of (13, 11)
uint16, unassociated alpha: as stored
uint16, associated alpha: as stored
uint16, white is zero: as stored
uint16, planes: scrambled: three reds make a pixel
uint16, grey with alpha: uint8 of (13, 11)
float32, planes: scrambled: three reds make a pixel
EXPECTED
