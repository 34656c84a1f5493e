# SPDX-License-Identifier: Apache-2.0
"""As much of gymnasium.spaces as the worker uses."""

import numpy as np


class Space:
    def __eq__(self, other):
        return type(self) is type(other) and str(vars(self)) == str(vars(other))

    def __repr__(self):
        return f"{type(self).__name__}({vars(self)})"


class Discrete(Space):
    def __init__(self, n, start=0):
        self.n, self.start = n, start


class MultiDiscrete(Space):
    def __init__(self, n):
        self.nvec = np.array(n)
        self.start = np.zeros_like(self.nvec)
        self.shape, self.dtype = self.nvec.shape, np.dtype(np.int64)


class MultiBinary(Space):
    def __init__(self, n):
        self.shape, self.dtype = (n,), np.dtype(np.int8)


class Box(Space):
    def __init__(self, low, high, shape, dtype):
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.low, self.high = np.full(shape, low, dtype), np.full(shape, high, dtype)


class Dict(Space):
    def __init__(self, parts):
        self.spaces = parts


class Tuple(Space):
    def __init__(self, parts):
        self.spaces = parts


class Text(Space):
    pass
