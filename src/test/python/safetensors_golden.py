# SPDX-License-Identifier: Apache-2.0
"""Writes a file with the safetensors package, which SafeTensorsTest reads, or checks one that Java wrote.

    pip install safetensors==0.8.0 numpy
    python src/test/python/safetensors_golden.py write src/test/resources/org/fovea/io/golden.safetensors
    python src/test/python/safetensors_golden.py check FILE
"""

import sys

import numpy
from safetensors import numpy as safetensors
from safetensors import safe_open

TENSORS = {
    "float32": numpy.arange(6, dtype=numpy.float32).reshape(2, 3) / 4,
    "float64": numpy.array([0.1, -1e300]),
    "int64": numpy.array([[-(2**62)], [7]]),
    "int32": numpy.array(-5, dtype=numpy.int32),
    "uint8": numpy.array([0, 127, 255], dtype=numpy.uint8),
    "empty": numpy.zeros((0, 4), dtype=numpy.float32),
}
METADATA = {"creator": "fovea", "größe": "π"}

if sys.argv[1] == "write":
    safetensors.save_file(TENSORS, sys.argv[2], metadata=METADATA)
else:
    with safe_open(sys.argv[2], framework="numpy") as file:
        assert file.metadata() == METADATA, file.metadata()
        assert set(file.keys()) == set(TENSORS), file.keys()
        for name, expected in TENSORS.items():
            actual = file.get_tensor(name)
            assert actual.dtype == expected.dtype and actual.shape == expected.shape, name
            assert (actual == expected).all(), name
    print("equal")
