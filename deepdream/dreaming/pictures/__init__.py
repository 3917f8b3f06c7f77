"""What pictures are made of: octaves, borders, detail of each size, masks, colours.

A picture inside a dream is an (h, w, 3) array of 32-bit floats, B, G, R, without the mean, dense,
in NumPy's memory or on a GPU. `operations` is the small set of operations on such arrays, written
out in NumPy; `compiled` does the same faster with Numba, `tensors` on PyTorch's devices.
"""
