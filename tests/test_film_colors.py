"""Colours in are colours out, whatever a film's matrix, range and depth."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from film_files import make_film

from deepdream.films.decoded import pixels_of
from deepdream.films.frame import Frame
from deepdream.films.hdr import to_srgb
from deepdream.films.source import open_source
from deepdream.films.target import open_target
from deepdream.films.yuv import BT601, BT709, BT2020, Planes, from_rgb, guess_matrix, to_rgb

av = pytest.importorskip("av")

PATCH = 16  # pixels
COLOURS = [
    (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255),
    (255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 40, 90), (13, 77, 201), (90, 160, 30),
]  # fmt: skip


def patches(columns: int = 4) -> np.ndarray:
    """Return squares of saturated colours, (48, 64, 3) uint8."""
    grid = np.array(COLOURS, np.uint8).reshape(-1, columns, 3)
    return grid.repeat(PATCH, axis=0).repeat(PATCH, axis=1)


def middles(pixels: np.ndarray) -> np.ndarray:
    """Return the colour in the middle of each patch, where chroma of neighbours does not reach."""
    half = PATCH // 2
    return np.asarray(pixels, np.float32)[half::PATCH, half::PATCH].reshape(-1, 3)[: len(COLOURS)]


# Numbers of the recommendations' tables, 8 bits: R, G, B, Y, Cb, Cr of black to white.
KNOWN = {
    BT601: {(255, 0, 0): (81, 90, 240), (0, 255, 0): (145, 54, 34), (0, 0, 255): (41, 240, 110)},
    BT709: {(255, 0, 0): (63, 102, 240), (0, 255, 0): (173, 42, 26), (0, 0, 255): (32, 240, 118)},
    BT2020: {(255, 0, 0): (74, 97, 240), (0, 255, 0): (164, 47, 25), (0, 0, 255): (29, 240, 119)},
}


@pytest.mark.parametrize("matrix", KNOWN)
def test_primaries_by_the_book(matrix: int) -> None:
    """The levels that colour bars have, forwards and backwards."""
    known = {**KNOWN[matrix], (255, 255, 255): (235, 128, 128), (0, 0, 0): (16, 128, 128)}
    for colour, stored in known.items():
        planes = from_rgb(np.full((2, 6, 3), colour, np.float32), matrix=matrix)

        assert (planes.y[0, 0], planes.cb[0, 0], planes.cr[0, 0]) == stored
        np.testing.assert_allclose(to_rgb(planes)[1, 3], colour, atol=1.6)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("full", [False, True])
def test_all_depths_and_ranges(bits: int, full: bool) -> None:
    """Black, white and a pure red of every depth."""
    unit = 1 << (bits - 8)
    top = (1 << bits) - 1
    black, white = (0, top) if full else (16 * unit, 235 * unit)
    swing = top / 2 if full else 112 * unit
    red = black + 0.2126 * (white - black)
    y = np.rint(np.array([[black, white, red]])).astype(np.uint16)
    cb = np.rint(128 * unit + np.array([[0, 0, -0.2126 / (2 - 2 * 0.0722) * 2 * swing]]))
    cr = np.rint(128 * unit + np.array([[0, 0, swing]])).clip(0, top)

    found = to_rgb(Planes(y, cb.astype(np.uint16), cr.astype(np.uint16), bits, full, BT709))

    expected = [[[0, 0, 0], [255, 255, 255], [255, 0, 0]]]
    np.testing.assert_allclose(found, expected, atol=1.6 / unit)


@pytest.mark.parametrize("size", [(7, 9), (8, 10), (1, 1), (2, 3)])
def test_chroma_lies_where_players_look(size: tuple[int, int]) -> None:
    """Halved chroma of a slope, doubled again, is the slope: nothing is shifted."""
    h, w = size
    y, x = np.mgrid[:h, :w]
    pixels = np.stack([90 + 6 * x + 2 * y, 120 - 3 * x, 60 + 5 * y], axis=2).astype(np.float32)

    planes = from_rgb(pixels)

    assert planes.cb.shape == ((h + 1) // 2, (w + 1) // 2)
    away = np.abs(to_rgb(planes) - pixels)[1:-2, 1:-2]
    assert away.size == 0 or away.max() < 3


def test_what_players_guess() -> None:
    """HD is BT.709, and what is smaller BT.601."""
    assert guess_matrix(1280, 720) == BT709
    assert guess_matrix(1920, 816) == BT709
    assert guess_matrix(720, 576) == BT601
    assert guess_matrix(640, 360) == BT601


SAID = {
    "BT.601": (BT601, False, "yuv444p"),
    "BT.601 full": (BT601, True, "yuv444p"),
    "BT.709": (BT709, False, "yuv444p"),
    "BT.709 full": (BT709, True, "yuv444p"),
    "BT.709 4:2:0": (BT709, False, "yuv420p"),
    "BT.709 10 bits": (BT709, False, "yuv422p10le"),
    "BT.2020": (BT2020, False, "yuv444p"),
    "BT.2020 10 bits full": (BT2020, True, "yuv444p10le"),
    "untagged SD": (2, False, "yuv444p"),
}


@pytest.mark.parametrize(("matrix", "full", "pix_fmt"), SAID.values(), ids=SAID.keys())
def test_patches_through_a_lossless_film(
    tmp_path: Path, matrix: int, full: bool, pix_fmt: str
) -> None:
    """Saturated patches, in and out again without a dream: within two levels."""
    path = make_film(
        tmp_path / "in.mkv", [patches()] * 2, pix_fmt=pix_fmt, matrix=matrix, full=full,
        options={"qp": "0"},
    )  # fmt: skip
    source = open_source(path)

    with open_target(tmp_path / "out.mkv", size=source.size, rate=source.rate) as target:
        for frame in source.frames():
            target.add(frame)

    out = list(open_source(tmp_path / "out.mkv").frames())
    assert len(out) == 2
    assert np.abs(middles(out[1].pixels) - COLOURS).max() <= 2


@pytest.mark.parametrize("full", [True, False], ids=["full", "as television"])
@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
def test_grey_of_every_depth(tmp_path: Path, bits: int, full: bool) -> None:
    """A ramp through a lossless film: grey, and as bright as it was, to the depth's last bit."""
    top, unit = (1 << bits) - 1, 1 << (bits - 8)
    black, white = (0, top) if full else (16 * unit, 235 * unit)
    stored = np.rint(np.linspace(black, white, 64)).astype("u1" if bits == 8 else "<u2")
    path = tmp_path / "grey.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", 25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "gray" if bits == 8 else f"gray{bits}le"
        stream.codec_context.color_range = 2 if full else 1
        for tick in range(2):
            frame = av.VideoFrame(64, 48, stream.pix_fmt)
            rows = np.zeros((48, frame.planes[0].line_size // stored.itemsize), stored.dtype)
            rows[:, :64] = stored
            frame.planes[0].update(rows.tobytes())
            frame.color_range = 2 if full else 1
            frame.pts, frame.time_base = tick, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())

    source = open_source(path)

    for shown in source.frames():
        expected = (stored.astype(float) - black) * 255 / (white - black)
        np.testing.assert_allclose(shown.pixels[20], expected[:, None].repeat(3, 1), atol=1e-3)
    assert source.count == 2


@pytest.mark.parametrize("pix_fmt", ["ya8", "ya16le", "vuya"])
def test_transparent_films_lie_on_white(pix_fmt: str) -> None:
    """Also in formats that hold colours and alpha side by side."""
    frame = av.VideoFrame(64, 48, pix_fmt)
    kind, parts = ("<u2", 2) if pix_fmt == "ya16le" else ("u1", 4 if pix_fmt == "vuya" else 2)
    values = np.zeros((48, frame.planes[0].line_size // parts // np.dtype(kind).itemsize, parts),
                      kind)  # fmt: skip
    values[..., :] = [128, 128, 0, 0] if pix_fmt == "vuya" else 0
    half = np.iinfo(values.dtype).max // 2
    values[:, 20:40, -1] = half
    values[:, 40:, -1] = np.iinfo(values.dtype).max
    frame.planes[0].update(values.tobytes())

    shown = pixels_of(frame)

    for column, level in ((5, 255), (30, 127.5), (60, 0)):
        np.testing.assert_allclose(shown[9, column], [level] * 3, atol=0.6)


def test_untagged_hd_is_bt709(tmp_path: Path) -> None:
    """As players take it, though FFmpeg's own scaler does not."""
    image = np.full((720, 1280, 3), (0, 255, 0), np.uint8)
    path = tmp_path / "hd.mkv"
    make_film(
        path, [image], pix_fmt="yuv444p", matrix=BT709, tags={"colorspace": 2, "color_range": 0},
        options={"qp": "0", "preset": "ultrafast", "x264-params": "colormatrix=undef"},
    )  # fmt: skip

    with av.open(str(path)) as film:
        assert next(film.decode(video=0)).colorspace == 2
    frame = next(iter(open_source(path).frames()))
    np.testing.assert_allclose(frame.pixels[9, 9], (0, 255, 0), atol=2)


@pytest.mark.parametrize(
    "name", ["out.mp4", "out.mov", "out.webm", "out.mkv", "out.png", "out.webp"]
)
def test_targets_show_the_colours_that_went_in(tmp_path: Path, name: str) -> None:
    """Read by FFmpeg's scaler, which believes the tags; and the tags are BT.709's."""
    lossless = name.endswith(("png", "mkv"))
    quality = "lossless" if lossless else "best"
    with open_target(tmp_path / name, size=(48, 64), rate=25, quality=quality) as target:
        for i in range(3):
            target.add(Frame(patches().astype(np.float32), Fraction(i, 25), i))

    ours = list(open_source(tmp_path / name).frames())[-1].pixels
    most = 0.5 if lossless else 6 if name.endswith("webp") else 4
    assert np.abs(middles(ours) - COLOURS).max() <= most
    if not name.endswith(("png", "webp")):
        with av.open(str(tmp_path / name)) as film:
            frame = list(film.decode(video=0))[-1]
            told = (frame.colorspace, frame.color_range)
            ways = {
                "src_colorspace": "ITU709",
                "src_color_range": "MPEG",
                "dst_color_range": "JPEG",
            }
            # PyAV 15 looks at no tags by itself, and at a matrix only where a range is asked for.
            seen = frame.to_ndarray(format="rgb24", **(ways if told == (1, 1) else {}))
            context = film.streams.video[0].codec_context
            told += (context.color_primaries, context.color_trc)
        assert np.abs(middles(seen) - COLOURS).max() <= most
        if not lossless:
            assert told == (1, 1, 1, 1)
            assert frame.format.name == "yuv420p"


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_mapped_and_said(tmp_path: Path, transfer: int, name: str) -> None:
    """Grey stays grey, brighter stays brighter, and graphics white comes near white."""
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 48, 0).repeat(3, 2)
    path = make_film(
        tmp_path / "hdr.mkv", [ramp], codec="libx265", pix_fmt="yuv420p10le", matrix=BT2020,
        tags={"color_trc": transfer, "color_primaries": 9},
        options={"x265-params": "log-level=none:lossless=1"},
    )  # fmt: skip

    source = open_source(path)
    row = next(iter(source.frames())).pixels[20]

    assert f"is an HDR film ({name})" in source.warnings[0]
    assert np.abs(row - row.mean(axis=1, keepdims=True)).max() < 3
    assert (np.diff(row[:, 1]) > -1).all()
    assert row[0].max() < 2
    assert row[-1].min() > 253


@pytest.mark.parametrize("transfer", [16, 18], ids=["PQ", "HLG"])
def test_what_an_ordinary_screen_can_show_comes_back(transfer: int) -> None:
    """Colours below the knee, coded in HDR with white at 203 cd/m2, are what they were.

    The way there is written from BT.2100's formulas, the way back is the package's.
    """
    colours = np.random.RandomState(3).uniform(0, 200, (5, 7, 3))
    value = colours / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    wide = linear @ np.array(  # sRGB to BT.2020
        [[0.6274, 0.0691, 0.0164], [0.3293, 0.9195, 0.0880], [0.0433, 0.0114, 0.8956]]
    )
    light = 203 * wide
    if transfer == 16:
        root = (light / 10000) ** (2610 / 16384)
        code = ((3424 / 4096 + 2413 / 128 * root) / (1 + 2392 / 128 * root)) ** (2523 / 32)
    else:
        luminance = (light @ [0.2627, 0.6780, 0.0593] / 1000)[..., None]
        scene = light / 1000 * luminance ** (1 / 1.2 - 1)
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        high = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
        code = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)

    found = to_srgb((255 * code).astype(np.float32), transfer)

    np.testing.assert_allclose(found, colours, atol=1)
