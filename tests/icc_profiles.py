"""ICC profiles built by hand, for the tests: the smallest that LittleCMS accepts."""

from __future__ import annotations

import struct

# Display P3 and Adobe RGB (1998) under D50, as their own profiles have them (columns X, Y, Z).
P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
D50 = (0.9642, 1.0, 0.8249)


def fixed(*values):
    return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))


def gamma(value):
    return b"curv" + struct.pack(">IIH", 0, 1, round(value * 256))


def table(values):
    return b"curv" + struct.pack(f">II{len(values)}H", 0, len(values), *values)


def parametric(kind, *numbers):
    return b"para" + struct.pack(">IHH", 0, kind, 0) + fixed(*numbers)


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def profile(space, tags, pcs=b"XYZ ", kind=b"mntr"):
    """Return a profile of version 4 with these tags besides those that every one has."""
    words = b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, 8, 28)
    tags = {
        b"desc": words + "test".encode("utf-16-be"),
        b"cprt": words + "none".encode("utf-16-be"),
        b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50),
        **tags,
    }
    at, listed, body = 132 + 12 * len(tags), b"", b""
    for name, tag in tags.items():
        listed += struct.pack(">4sII", name, at + len(body), len(tag))
        body += tag + b"\0" * (-len(tag) % 4)
    head = bytearray(128)
    head[:4] = struct.pack(">I", at + len(body))
    head[8:24] = bytes.fromhex("04200000") + kind + space + pcs
    head[36:40] = b"acsp"
    head[68:80] = fixed(*D50)
    return bytes(head) + struct.pack(">I", len(tags)) + listed + body


def rgb(primaries, curve):
    """Return a profile of three primaries and one curve."""
    tags = {}
    for name, column in zip("rgb", primaries):
        tags[f"{name}XYZ".encode()] = b"XYZ \0\0\0\0" + fixed(*column)
        tags[f"{name}TRC".encode()] = curve
    return profile(b"RGB ", tags)


def grey(curve):
    return profile(b"GRAY", {b"kTRC": curve})


def cmyk(papers):
    """Return a profile of CMYK with a table of two steps: 16 colours, L*a*b* of 8 bits."""
    lut = b"mft1" + struct.pack(">I4B", 0, 4, 3, 2, 0) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    ramp = bytes(range(256))
    lut += ramp * 4 + bytes(value for lab in papers for value in lab) + ramp * 3
    return profile(b"CMYK", {b"A2B0": lut}, b"Lab ", b"prtr")


def rgb_table(turned):
    """Return a profile of RGB with a table of two steps in X, Y, Z... of L*a*b*: no curves."""
    lut = b"mft1" + struct.pack(">I4B", 0, 3, 3, 2, 0) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    ramp = bytes(range(256))
    lut += ramp * 3 + bytes(value for lab in turned for value in lab) + ramp * 3
    return profile(b"RGB ", {b"A2B0": lut}, b"Lab ", b"scnr")
