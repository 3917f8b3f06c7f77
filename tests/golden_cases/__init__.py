"""The cases of the golden data, one module per family of layers, and whole nets.

A case says what to do, never what comes out: that is Caffe's part.
"""

from __future__ import annotations

from . import (
    activation,
    blobs,
    calls,
    common,
    dreams,
    files,
    loss,
    nets,
    normalization,
    not_finite,
    refused,
    training,
    vision,
)
from .base import Case as Case

LAYERS = (vision, normalization, activation, common, loss, not_finite)
NETS = (nets, blobs, calls, files, refused, dreams, training)


def all_cases(*modules) -> dict[str, Case]:
    """Return the cases of the given modules (default: all) by name."""
    cases = [case for module in modules or LAYERS + NETS for case in module.cases()]
    by_name = {case.name: case for case in cases}
    assert len(by_name) == len(cases), "two golden cases have the same name"
    return by_name
