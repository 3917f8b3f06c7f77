"""A drawing as pixels: reads the SVG that `diagram` writes, and no other.

Groups that are moved, rectangles, paths of straight lines and curves, and text: that is all the
drawings of nets consist of, and it spares their readers a program that converts SVG.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union
from xml.etree import ElementTree

if TYPE_CHECKING:
    from PIL import Image, ImageFont

    Font = Union[ImageFont.FreeTypeFont, ImageFont.ImageFont]

Point = tuple[float, float]

# Files of fonts, by the names that Linux, Windows and macOS give them. Pillow looks into the
# system's folders. All have the arrow and the cross that the drawings need.
_FONTS = {
    (False, False): ("DejaVuSans.ttf", "arial.ttf", "Arial.ttf", "LiberationSans-Regular.ttf"),
    (False, True): (
        "DejaVuSans-Bold.ttf", "arialbd.ttf", "Arial Bold.ttf", "LiberationSans-Bold.ttf",
    ),
    (True, False): ("DejaVuSansMono.ttf", "consola.ttf", "Menlo.ttc", "LiberationMono-Regular.ttf"),
    (True, True): (
        "DejaVuSansMono-Bold.ttf", "consolab.ttf", "Menlo.ttc", "LiberationMono-Bold.ttf",
    ),
}  # fmt: skip
_PARTS = 8  # straight pieces of a curve


def rasterize(svg: str, scale: float = 2.0) -> Image.Image:
    """Return a drawing of this package as a picture.

    Parameters
    ----------
    svg : str
        The SVG of a `Drawing`.
    scale : float
        Pixels of the picture for each of the drawing's.

    Returns
    -------
    PIL.Image.Image
        RGB, on white.
    """
    from PIL import Image

    root = ElementTree.fromstring(svg)
    size = (round(float(root.attrib["width"]) * scale), round(float(root.attrib["height"]) * scale))
    image = Image.new("RGB", size, "#ffffff")
    _Canvas(image, scale).draw(root, {}, (0.0, 0.0))
    return image


class _Canvas:
    """A picture that elements of SVG are drawn on, one over the other."""

    def __init__(self, image: Image.Image, scale: float) -> None:
        from PIL import ImageDraw

        self.image, self.scale = image, scale
        self.pen = ImageDraw.Draw(image)
        self.fonts: dict[tuple[bool, bool, int], Font] = {}

    def draw(self, element: ElementTree.Element, above: Mapping[str, str], at: Point) -> None:
        """Draw an element with all inside it; `above` are the attributes of what it lies in."""
        how = {**above, **element.attrib}
        kind = element.tag.rpartition("}")[2]
        if kind == "text":
            self.text(element.text or "", how, at)
        elif kind == "rect":
            self.rectangle(how, at)
        elif kind == "path":
            self.path(how, at)
        elif kind in ("svg", "g"):
            x, y = _moved(how.pop("transform", ""))
            for inner in element:
                self.draw(inner, how, (at[0] + x, at[1] + y))

    def length(self, value: float) -> int:
        return max(1, round(value * self.scale))

    def rectangle(self, how: Mapping[str, str], at: Point) -> None:
        x, y = at[0] + float(how.get("x", 0)), at[1] + float(how.get("y", 0))
        box = [
            x * self.scale, y * self.scale,
            (x + float(how["width"])) * self.scale - 1, (y + float(how["height"])) * self.scale - 1,
        ]  # fmt: skip
        stroke = _color(how.get("stroke"))
        width = self.length(float(how.get("stroke-width", 1))) if stroke else 0
        radius = float(how.get("rx", 0)) * self.scale
        self.pen.rounded_rectangle(box, radius, _color(how.get("fill")), stroke, width)

    def path(self, how: Mapping[str, str], at: Point) -> None:
        points = [
            ((at[0] + x) * self.scale, (at[1] + y) * self.scale) for x, y in _points(how["d"])
        ]
        fill, stroke = _color(how.get("fill")), _color(how.get("stroke"))
        if how["d"].endswith("z") and fill:
            self.pen.polygon(points, fill)
        if stroke is None:
            return
        width = self.length(float(how.get("stroke-width", 1)))
        if "stroke-dasharray" in how:
            on, off = (float(part) * self.scale for part in how["stroke-dasharray"].split())
            (x, y), (end, _) = points[0], points[-1]
            while x < end:
                self.pen.line([(x, y), (min(x + on, end), y)], stroke, width)
                x += on + off
        else:
            self.pen.line(points, stroke, width, joint="curve")

    def text(self, text: str, how: Mapping[str, str], at: Point) -> None:
        from PIL import Image, ImageDraw

        mono, bold = "mono" in how.get("font-family", ""), how.get("font-weight") == "bold"
        font = self.font(mono, bold, self.length(float(how["font-size"])))
        if not hasattr(font, "path") or not isinstance(font.path, str):  # Pillow's own
            text = text.replace("→", "->")
        left, top, right, bottom = (round(side) for side in font.getbbox(text))
        if right <= left:
            return
        mask = Image.new("L", (right, bottom + 1))
        ImageDraw.Draw(mask).text((0, 0), text, 255, font)
        if "textLength" in how:
            right = self.length(float(how["textLength"]))
            mask = mask.resize((right, mask.height), Image.Resampling.LANCZOS)
        ascent = font.getmetrics()[0] if hasattr(font, "getmetrics") else bottom
        x, y = (at[0] + float(how["x"])) * self.scale, (at[1] + float(how["y"])) * self.scale
        x -= right / 2 if how.get("text-anchor") == "middle" else 0
        self.image.paste(_color(how.get("fill")) or "#000000", (round(x), round(y - ascent)), mask)

    def font(self, mono: bool, bold: bool, size: int) -> Font:
        """Return a font of the system's, or the one in Pillow."""
        key = mono, bold, size
        if key not in self.fonts:
            self.fonts[key] = _font(_FONTS[mono, bold], size)
        return self.fonts[key]


def sans(size: int) -> Any:
    """Return a font for captions: the system's, or the one in Pillow."""
    return _font(_FONTS[False, False], size)


def _font(names: Sequence[str], size: int) -> Any:
    from PIL import ImageFont

    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except (OSError, ImportError):
            continue
    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1
        return ImageFont.load_default()


def _color(text: str | None) -> str | None:
    return None if text in (None, "none") else text


def _moved(transform: str) -> Point:
    """Return how far ``translate(x y)`` moves."""
    found = re.fullmatch(r"translate\(([-\d.]+) ([-\d.]+)\)", transform)
    return (float(found[1]), float(found[2])) if found else (0.0, 0.0)


def _points(path: str) -> Iterator[Point]:
    """Yield the corners of a path; of a curve, points along it."""
    x = y = 0.0
    for kind, rest in re.findall(r"([MLHQC])([-\d. ]+)", path):
        numbers = [float(part) for part in rest.split()]
        if kind == "H":
            x = numbers[0]
            yield x, y
            continue
        corners = [(x, y), *zip(numbers[::2], numbers[1::2])]
        if kind in "QC":
            for part in range(1, _PARTS):
                yield _along(corners, part / _PARTS)
        x, y = corners[-1]
        yield x, y


def _along(corners: Sequence[Point], share: float) -> Point:
    """Return a point of a Bézier curve, by de Casteljau's way."""
    while len(corners) > 1:
        corners = [
            (a + share * (c - a), b + share * (d - b))
            for (a, b), (c, d) in zip(corners, corners[1:])
        ]
    return corners[0]
