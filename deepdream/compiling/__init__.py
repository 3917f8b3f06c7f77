"""Compiled loops: how a kernel is made of a Python function, and the vectors it computes with.

`decorators` compiles with Numba, `lanes` are vectors of sixteen numbers, `events` tells and holds
Ctrl-C while it compiles. The kernels themselves are beside what uses them. Nothing here loads
PyTorch.
"""
