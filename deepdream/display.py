"""Pictures in a notebook. The only module that draws; IPython is imported when it does."""

from __future__ import annotations

from typing import Any

from .errors import EngineError
from .images import as_picture, to_uint8


def show(*imgs: Any) -> None:
    """Draw pictures in a notebook, one below the other.

    Parameters
    ----------
    *imgs : (h, w, 3) array or PIL.Image
        RGB, 0..255; values beyond are clipped.

    Raises
    ------
    EngineError
        This is no notebook: there is nothing to draw on.
    ImageError
        Something that is no picture.
    """
    from PIL import Image

    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        raise EngineError(
            "show draws in a Jupyter notebook, and this is none: use "
            "deepdream.save_image(img, 'dream.png') and open the file"
        )
    for img in imgs:
        display(Image.fromarray(to_uint8(as_picture(img))))
