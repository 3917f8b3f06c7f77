"""Which frames of a film can be dreamt side by side.

A scene's first frame needs nothing of the frames before it; the others follow from each other. So
pieces of different scenes can be made at the same time, those of one scene only one after the
other. A frame to which nothing is carried is a scene of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from .shots import Mark


@dataclass(frozen=True)
class Piece:
    """Frames that are dreamt one after the other.

    Attributes
    ----------
    first, count : int
        The first one's number, and how many they are.
    begins : bool
        It is a scene's first frame: it needs nothing of those before.
    goes_on : bool
        The frame behind them follows from the last one.
    """

    first: int
    count: int
    begins: bool
    goes_on: bool = True

    @property
    def end(self) -> int:
        """The number behind its last frame."""
        return self.first + self.count


def pieces(
    marks: Iterable[Mark], there: Mapping[int, int], most: int, most_alone: int
) -> Iterator[Piece]:
    """Yield the pieces of a film that are to be made, in order.

    Parameters
    ----------
    marks : iterable of Mark
        Of the frames, in order.
    there : mapping of int to int
        What is made already: the first frame's number, and how many there are.
    most, most_alone : int
        How many frames a piece has at most, and one of frames that need no other.
    """
    piece: Piece | None = None
    alone, behind = False, 0  # all of the piece; what is made
    for mark in marks:
        behind = max(behind, mark.number + there.get(mark.number, 0))
        made = mark.number < behind
        if piece is not None:
            with_it = not mark.begins or (mark.alone and alone and piece.count < most_alone)
            if made or not with_it or piece.count >= most:
                yield replace(piece, goes_on=not mark.begins)
                piece = None
        if made:
            continue
        if piece is None:
            piece, alone = Piece(mark.number, 1, mark.begins), mark.alone
        else:
            piece, alone = replace(piece, count=piece.count + 1), alone and mark.alone
    if piece is not None:
        yield piece
