#!/usr/bin/env python3
"""Dream one picture at every recommended layer of a model, and lay the dreams out on a sheet.

    scripts/contact_sheet.py examples/clouds.jpg -o docs/images/contact_sheet.jpg

The first cell is the picture itself; each other one is a dream with the default parameters, and
under it the layer and its line in the registry. The dreams are made at the picture's own size and
shrunk to fit.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

GAP = 12  # pixels around and between cells
CAPTION = 40  # pixels below a picture
PAPER, INK, FAINT = (250, 250, 248), (30, 30, 30), (110, 110, 110)


def sheet(cells: list[tuple[np.ndarray, str, str]], columns: int, width: int) -> Image.Image:
    """Return the pictures in rows, each with a name and a line about it.

    Parameters
    ----------
    cells : list of (array, str, str)
        Pictures of one size, (h, w, 3) RGB 0..255, their names and what they look like.
    columns : int
        Pictures in a row.
    width : int
        Of a picture on the sheet, in pixels.
    """
    h, w = cells[0][0].shape[:2]
    height = round(h * width / w)
    rows = -(-len(cells) // columns)
    step = (width + GAP, height + CAPTION + GAP)
    paper = Image.new("RGB", (GAP + columns * step[0], GAP + rows * step[1]), PAPER)
    draw = ImageDraw.Draw(paper)
    for i, (picture, name, look) in enumerate(cells):
        x, y = GAP + i % columns * step[0], GAP + i // columns * step[1]
        levels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        small = Image.fromarray(levels).resize((width, height), Image.Resampling.LANCZOS)
        paper.paste(small, (x, y))
        draw.text((x, y + height + 3), name, INK, ImageFont.load_default(15))
        draw.text((x, y + height + 21), look, FAINT, ImageFont.load_default(13))
    return paper


def main(arguments: list[str] | None = None) -> int:
    """Dream and write the sheet; return the exit status."""
    import deepdream

    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("image", type=Path, metavar="IMAGE")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT")
    parser.add_argument("--model", help="a registered model (default: the bundled one)")
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--width", type=int, default=480, help="of one picture on the sheet")
    parser.add_argument("--quality", type=int, default=70, help="of a JPEG")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        net = deepdream.load_net(options.model)
        image = deepdream.load_image(options.image)
        looks = dict(net.model.layers) or {net.model.end: ""}
        cells = [(image, options.image.name, "the picture before the dream")]
        for layer, look in looks.items():
            note = f"{layer}, the default" if layer == net.model.end else layer
            cells.append((deepdream.dream(net, image, layer, seed=options.seed), note, look))
            print(f"dreamed {layer}", file=sys.stderr)
        paper = sheet(cells, options.columns, options.width)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        deepdream.save_image(np.asarray(paper), options.output, quality=options.quality)
    except deepdream.DeepDreamError as error:
        print(f"contact_sheet: {error}", file=sys.stderr)
        return 2
    print(f"wrote {options.output}: {paper.width}x{paper.height}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
