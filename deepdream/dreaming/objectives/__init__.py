"""What a dream makes grow.

`objective` are values that add up, `terms` make them, `given` are the pictures that they hold and
`typed` reads them from a command line; `functions` are objectives as the notebook has them,
functions of one blob; `goals` finds out what all of it means to a net.
"""

from .functions import ask as ask
from .functions import objective_channel as objective_channel
from .functions import objective_guide as objective_guide
from .functions import objective_L2 as objective_L2
from .objective import Objective as Objective
from .terms import channel as channel
from .terms import direction as direction
from .terms import function as function
from .terms import guide as guide
from .terms import label as label
from .terms import layer as layer
from .terms import neuron as neuron
