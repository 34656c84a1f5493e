# SPDX-License-Identifier: Apache-2.0
"""Tensors in safetensors files, for PyTorch and for NumPy.

Such a file is eight bytes with the length of a header, the header in JSON, which has each tensor's type, shape and place, and
the tensors' bytes: little endian, rows one after another. Here so that the tests need no package for it.
"""

import json
import math

CODES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
}
NAMES = {code: name for name, code in CODES.items()}


def write(path, tensors):
    """Writes tensors, each a type's name, a shape and bytes."""
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": CODES[dtype], "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, _, data in tensors.values():
            file.write(data)


def read(path):
    """The tensors of a file, each a type's name, a shape and bytes that may be written to."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = memoryview(bytearray(file.read()))
    header.pop("__metadata__", None)
    return {n: (NAMES[x["dtype"]], x["shape"], data[slice(*x["data_offsets"])]) for n, x in header.items()}


def save_torch(path, tensors):
    import torch

    def data(x):
        return x.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()

    write(path, {n: (str(x.dtype)[len("torch."):], x.shape, data(x)) for n, x in tensors.items()})


def load_torch(path):
    import torch

    def tensor(name, shape, data):
        dtype = getattr(torch, name)
        return torch.frombuffer(data, dtype=dtype).reshape(shape) if math.prod(shape) else torch.zeros(shape, dtype=dtype)

    return {n: tensor(*x) for n, x in read(path).items()}


def save_numpy(path, tensors):
    write(path, {n: (x.dtype.name, x.shape, x.tobytes()) for n, x in tensors.items()})


def load_numpy(path):
    import numpy

    def dtype(name):
        if name == "bfloat16":
            import ml_dtypes  # comes with onnx

            return ml_dtypes.bfloat16
        return numpy.dtype(name)

    return {n: numpy.frombuffer(data, dtype(name)).reshape(shape) for n, (name, shape, data) in read(path).items()}
