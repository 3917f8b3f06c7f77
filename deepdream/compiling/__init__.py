"""Compiled loops: how a kernel is made of a Python function, and how it is called.

In the order of reading: `kinds` (what a kernel takes), `decorators` (how it is written), `lanes`
and `products` (what it computes with), `translate` (how it becomes machine code), `machine_code`
(how that is kept and called), `processor` (what for). The kernels themselves are beside what uses
them. Nothing here loads PyTorch, and calling kernels does not load Numba.
"""
