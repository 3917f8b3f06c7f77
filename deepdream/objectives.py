"""What a dream is to grow, as terms that add up::

    from deepdream import objectives as o

    deepdream.dream(net, img, objective=o.layer("inception_4c/output") - 0.2 * o.label("dog"))

docs/objectives.md shows each of them.
"""

from __future__ import annotations

from .dreaming.objectives.objective import Objective as Objective
from .dreaming.objectives.terms import channel as channel
from .dreaming.objectives.terms import direction as direction
from .dreaming.objectives.terms import function as function
from .dreaming.objectives.terms import guide as guide
from .dreaming.objectives.terms import label as label
from .dreaming.objectives.terms import layer as layer
from .dreaming.objectives.terms import neuron as neuron

__all__ = ["Objective", "channel", "direction", "function", "guide", "label", "layer", "neuron"]
