"""Every layer type of Caffe that a dreaming net can hold, a small class each.

The modules follow the headings of Caffe's layer catalogue; importing them fills the registry.
"""

from . import activation as activation
from . import common as common
from . import data as data
from . import forks as forks
from . import loss as loss
from . import normalization as normalization
from . import python as python
from . import structure as structure
from . import vision as vision
from .base import LAYERS as LAYERS
from .base import TEST as TEST
from .base import TRAIN as TRAIN
from .base import BlobVec as BlobVec
from .base import Layer as Layer
from .base import LayerVec as LayerVec
from .base import Window as Window
from .base import create as create
from .base import unknown_type as unknown_type
from .python import missing_module as missing_module
