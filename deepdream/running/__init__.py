"""Running: a net's layers compute its blobs, forward and backward, as Caffe does.

`net.Net` is the definition of what this package computes; `layers` holds one small class for each
layer type.
"""
