"""Write a known network with seeded weights: FOLDER/deploy.prototxt and FOLDER/seeded.caffemodel.

seeded_net.py MODEL FOLDER
"""

import shutil
import sys
from pathlib import Path

from deepdream.models.prototxts import prototxt_path
from deepdream.models.registry import MODELS
from deepdream.running.fillers import seed_weights
from deepdream.running.net import Net

model, folder = sys.argv[1], Path(sys.argv[2])
prototxt = shutil.copy(prototxt_path(MODELS[model]), folder / "deploy.prototxt")
net = Net(str(prototxt), 1)
seed_weights(net, 0)
net.save(folder / "seeded.caffemodel")
