"""Numbers that stand for words in kernels."""

ROLL, REFLECT, EDGE = 0, 1, 2  # how a picture goes on beyond its border
ABS, SQUARE, PLAIN = 0, 1, 2  # what is summed up
