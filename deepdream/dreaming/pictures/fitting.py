"""Pictures of any size in nets that take some sizes only.

What goes through a net is continued beyond its right and lower border to the next size that fits,
which `running.sizes` finds. Here is what the user is told of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...errors import ShapeError
from .borders import Size

# What the net sees of a picture of this size; see `borders.canvas_for`.
CanvasSize = Callable[[Size], Size]


class SizeWarning(UserWarning):
    """A net does not take the sizes that a dream has: what is done instead."""


_LARGEST = 1 << 13  # sides up to which the smallest one that is large enough is looked for


class Fitting:
    """What pictures become on their way to a target.

    Parameters
    ----------
    net : Net
        One whose layers are not known takes every size.
    end : str or sequence of str
        The target, or several.
    seen : callable
        Tells the size that the net is to see of a picture of some size.
    beside : bool
        Whether layers count that the target does not depend on; a plan does not run them.
    """

    def __init__(
        self, net: Any, end: str | Sequence[str], seen: CanvasSize = lambda size: size, *,
        beside: bool = True,
    ) -> None:  # fmt: skip
        from ...running.sizes import sizes_of

        self._sizes = sizes_of(net, end, beside=beside)
        self._end, self._seen = named(end), seen

    def shape(self, size: Size, what: str = "picture") -> Size:
        """Return what goes through the net for a picture.

        Parameters
        ----------
        size : (int, int)
            Its height and width.
        what : str
            What to call it.

        Returns
        -------
        (int, int)
            Height and width: what the net is to see, or the next size that fits, nowhere smaller.

        Raises
        ------
        ShapeError
            The picture is too small, or neither its size nor a larger one fits; the message tells
            which do.
        """
        h, w = size
        if min(size) >= 1 and self._sizes is None:
            return self._seen(size)
        if self.too_small(size):
            raise ShapeError(
                f"a {what} of {w}x{h} is too small for {self._end}: {self._least()}. Enlarge it, "
                "or choose an earlier layer"
            )
        assert self._sizes is not None
        seen = self._seen(size)
        fitting = self._sizes.larger(seen)
        if fitting is None:
            raise ShapeError(f"a {what} of {w}x{h} does not get {self._why_not(seen)}")
        return fitting

    def why_not(self, size: Size) -> str:
        """Return why a picture of this size cannot be dreamt on, or an empty text."""
        if self.too_small(size):
            return f"is too small for {self._end}"
        if self._sizes is None:
            return ""
        if self._sizes.larger(self._seen(size)) is not None:
            return ""
        only = self._sizes.only()
        which = "" if only is None else f", which takes {_between(*only)}"
        return f"does not get through the net to {self._end}{which}"

    def too_small(self, size: Size) -> bool:
        """Tell whether some layer would have nothing to look at."""
        if min(size) < 1:
            return True
        return self._sizes is not None and self._sizes.too_small(self._seen(size))

    def _least(self) -> str:
        """Return in words how large a picture has to be."""
        least = _first(lambda k: not self.too_small((k, k)))
        if least is None:
            return "it has no pixels"
        h = _first(lambda k: not self.too_small((k, least))) or least
        w = _first(lambda k: not self.too_small((least, k))) or least
        if h == w:
            return f"each side needs {h} pixels or more"
        return f"{w}x{h} pixels or more are needed"

    def _why_not(self, seen: Size) -> str:
        assert self._sizes is not None
        refusal = self._sizes.obstacle(seen)
        reason = "" if refusal is None else f":\n{self._sizes.named(refusal)}"
        return f"through the net to {self._end}{reason}\n{self._advice(seen)}"

    def _advice(self, seen: Size) -> str:
        """Return which sizes fit, where one does not."""
        assert self._sizes is not None
        only = self._sizes.only()
        if only is not None:
            return (
                f"Pictures of {_between(*only)} fit: make it so large, or choose an earlier layer."
            )
        near = dict.fromkeys([self._sizes.smaller(seen), self._sizes.larger(seen)])
        found = [_wxh(size) for size in near if size is not None]
        if not found:
            return "Choose an earlier layer."
        one = "size that fits is" if len(found) == 1 else "sizes that fit are"
        return f"{_wxh(seen)} does not fit: the nearest {one} {' and '.join(found)}."


def named(end: str | Sequence[str]) -> str:
    """Return a target's name in quotes, or those of several: ``"'a', 'b' and 'c'"``."""
    quoted = [f"'{each}'" for each in ([end] if isinstance(end, str) else end)]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]][len(quoted) == 1 :])


def with_sizes(net: Any, end: str, size: Size, error: ShapeError) -> ShapeError:
    """Return the error of a net that does not take a picture, with the nearest sizes that fit.

    Parameters
    ----------
    net : Net
    end : str
    size : (int, int)
        Height and width of the picture.
    error : ShapeError
        What the net said.

    Returns
    -------
    ShapeError
        The same error where the size is none of its reasons.
    """
    from ...running.sizes import sizes_of

    sizes = sizes_of(net, end)
    if sizes is None or sizes.fits(size):
        return error
    fitting = Fitting(net, end)
    if fitting.too_small(size):
        advice = f"The picture is too small for '{end}': {fitting._least()}."
    else:
        advice = fitting._advice(size)
        if sizes.larger(size) is not None:
            advice += " deepdream.dream takes this one, too."
    return type(error)(f"{error}\n{advice}")


def note_on(
    end: str | Sequence[str], grown: Iterable[tuple[Size, Size]], octave_n: int, border: str,
    guides: Sequence[tuple[Size, Size]] = (),
) -> str:  # fmt: skip
    """Return what the user should know of pictures that do not fit, or an empty text.

    Parameters
    ----------
    end : str or sequence of str
        The target, or several.
    grown : iterable of ((int, int), (int, int))
        Octaves' sizes, and the sizes of what goes through the net for them, where it had to be
        continued to a size that fits.
    octave_n : int
        How many octaves there are.
    border : {"roll", "reflect", "edge"}
        With the last two, all octaves are continued on all sides.
    guides : sequence of ((int, int), (int, int))
        Like `grown`, of guides.
    """
    octaves = [f"{_wxh(size)} as {_wxh(shape)}" for size, shape in grown]
    what = f"{len(octaves)} of {octave_n} octaves ({', '.join(octaves)})"
    shown = ", ".join(f"{_wxh(size)} as {_wxh(shape)}" for size, shape in guides)
    if shown:
        shown = f"the guide{'s' if len(guides) > 1 else ''} ({shown})"
    continued = "through the net continued beyond the right and lower border"
    goes = "go" if len(guides) > 1 else "goes"
    go = "goes" if len(octaves) == 1 else "go"
    if octaves and border != "roll":
        said = f"{what} {go} through the net with a wider margin on the right and below"
        said += f", {shown} {goes} {continued}" if shown else ""
    elif octaves:
        said = f"{what} and {shown} go {continued}" if shown else f"{what} {go} {continued}"
    elif shown:
        said = f"{shown} {goes} {continued}"
    else:
        return ""
    takes = "takes" if isinstance(end, str) or len(end) == 1 else "take"
    return f"{named(end)} {takes} some sizes only: {said}"


def _first(test: Callable[[int], bool]) -> int | None:
    """Return the smallest number that passes a test which all larger ones pass too."""
    if not test(_LARGEST):
        return None
    small, large = 0, _LARGEST
    while large - small > 1:
        middle = (small + large) // 2
        small, large = (small, middle) if test(middle) else (middle, large)
    return large


def _wxh(size: Size) -> str:
    return f"{size[1]}x{size[0]}"


def _between(smallest: Size, largest: Size) -> str:
    if smallest == largest:
        return _wxh(smallest)
    return f"{_wxh(smallest)} to {_wxh(largest)}"
