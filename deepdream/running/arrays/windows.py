"""What a filter or a pooling looks at: sizes alone, no arrays.

A window slides along one or more spatial axes. Along an axis, output position i with kernel index j
reads input position ``i * stride + j * dilation - pad``; what lies outside the input counts as 0
for a filter, and does not count for a maximum.
"""

from __future__ import annotations

from typing import NamedTuple


class Filter(NamedTuple):
    """A convolution's settings, one value for each spatial axis; `group` parts of the channels."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    group: int = 1

    @property
    def extent(self) -> tuple[int, ...]:
        """Positions from the first to the last that a window reads, for each axis."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel))


class Pool(NamedTuple):
    """A pooling's settings, for height and width; `floor` tells how its size was rounded."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    floor: bool = False
