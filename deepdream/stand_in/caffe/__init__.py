"""What ``import caffe`` finds in child processes of a program that has called `install`.

`deepdream.caffe.install` puts the folder above at the end of ``sys.path``, which multiprocessing
hands to children that it starts anew ("spawn"). A real Caffe on the path goes before.
"""

import sys

import deepdream.caffe

del sys.modules["caffe"]
deepdream.caffe.install()
