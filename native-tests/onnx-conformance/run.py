#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the test cases that ONNX ships for its operator Attention (opsets 23 to 25) through `fovea attention`.

    run.py                    all of them
    run.py --only softcap     those with this in their name

Cases named *_expanded are left out: they have the same numbers, for the operator spelt out in others.

What the operator and the command call differently, and how one becomes the other:

    3D tensors, q_num_heads        split into heads, and the output joined again
    attn_mask                      mask; too short for all keys, it hides those that it lacks
    past_key, past_value           past_k, past_v: queries then stand after the past, in both
    nonpad_kv_seqlen               kv_lengths, with queries aligned to the end of what is valid: bottom-right
    qk_matmul_output_mode 0 1 2 3  --weights=scores softcap masked softmax
    softmax_precision              nothing: float32 at least, always

There are no other differences: hidden keys, also those that hold NaN, rows that see nothing, softcap before the mask are the
same in both.
"""

import argparse
import pathlib
import sys
import tempfile
import warnings

try:
    import numpy
    import onnx
    from onnx.backend.test.case.node import collect_testcases
    from onnx.reference import ReferenceEvaluator
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install onnx numpy)")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "command"))
from fovea import Fovea
from tensorfile import load_numpy, save_numpy

INPUTS = ("q", "k", "v", "mask", "past_k", "past_v", "kv_lengths")
OUTPUTS = ("o", "present_k", "present_v", "weights")
STAGES = ("scores", "softcap", "masked", "softmax")


class Request:
    """A case of ONNX as the command wants it."""

    def __init__(self, case):
        node = case.model.graph.node[0]
        self.attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        self.names = list(filter(None, node.output))
        self.roles = dict(zip(node.output, OUTPUTS))
        self.feeds = dict(zip(filter(None, node.input), case.data_sets[0][0]))
        given = dict(zip(INPUTS, map(self.feeds.get, node.input)))
        self.is_flat = given["q"].ndim == 3
        if self.is_flat:
            for name in ("q", "k", "v"):
                heads = self.attributes["q_num_heads" if name == "q" else "kv_num_heads"]
                given[name] = self.split(given[name], heads)
        self.tensors = {n: numpy.ascontiguousarray(x) for n, x in given.items() if x is not None}
        if "mask" in self.tensors:
            self.tensors["mask"] = self.padded_mask()

    def padded_mask(self):
        mask = self.tensors["mask"]
        keys = sum(self.tensors[n].shape[2] for n in ("past_k", "k") if n in self.tensors)
        lacking = [(0, 0)] * (mask.ndim - 1) + [(0, keys - mask.shape[-1])]
        return numpy.pad(mask, lacking, constant_values=False if mask.dtype == bool else -numpy.inf)

    def arguments(self):
        a = self.attributes
        arguments = [f"--{name}={a[name]}" for name in ("scale", "softcap") if name in a]
        corner = "bottom-right" if "kv_lengths" in self.tensors else "top-left"
        arguments.append(f"--causal={corner}" if a.get("is_causal") else f"--align={corner}")
        window = a.get("left_window_size", -1), a.get("right_window_size", -1)
        if window != (-1, -1):
            arguments.append("--window={},{}".format(*window))
        if "weights" in map(self.roles.get, self.names):
            arguments.append("--weights=" + STAGES[a.get("qk_matmul_output_mode", 0)])
        return arguments

    def outputs(self, answer):
        outputs = [answer[self.roles[name]] for name in self.names]
        if self.is_flat:
            outputs[0] = self.joined(outputs[0])
        return outputs

    @staticmethod
    def split(rows, heads):
        return rows.reshape(*rows.shape[:2], heads, -1).transpose(0, 2, 1, 3)

    @staticmethod
    def joined(rows):
        batch, heads, length, dim = rows.shape
        return rows.transpose(0, 2, 1, 3).reshape(batch, length, heads * dim)


def is_floating(x):
    return x.dtype.kind not in "biu"


def exact(case, feeds):
    """The outputs of ONNX's own reference in float64."""
    feeds = {n: x.astype(numpy.float64) if is_floating(x) else x for n, x in feeds.items()}
    return ReferenceEvaluator(case.model).run(None, feeds)


def check(fovea, case, folder):
    request = Request(case)
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    save_numpy(source, request.tensors)
    code, complaint = fovea.attention(source, target, request.arguments())
    if code != 0:
        return [f"exit code {code}: {complaint}"]
    problems = []
    outputs = request.outputs(load_numpy(target))
    for name, got, expected, precise in zip(
            request.names, outputs, case.data_sets[0][1], exact(case, request.feeds), strict=True):
        if got.dtype != expected.dtype or got.shape != expected.shape:
            problems.append(f"{name} is {got.dtype}{got.shape}, expected {expected.dtype}{expected.shape}")
            continue
        got, expected = got.astype(numpy.float64), expected.astype(numpy.float64)
        finite = numpy.isfinite(expected)
        # ONNX's reference computes in the type of its inputs, and may be off by that.
        own_error = numpy.abs(expected[finite] - precise[finite]).max(initial=0)
        wrong = ~numpy.isclose(got, expected, case.rtol, case.atol + 2 * own_error, equal_nan=True)
        if wrong.any():
            problems.append(f"{name}: {got[wrong][:3].tolist()} where {expected[wrong][:3].tolist()} is expected")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="PART", help="of the cases' names")
    options = parser.parse_args()
    with warnings.catch_warnings():
        # Making the cases divides by zero on purpose.
        warnings.simplefilter("ignore")
        cases = collect_testcases("Attention")
    cases = [c for c in cases if not c.name.endswith("_expanded") and options.only in c.name]
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        fovea = Fovea()
        for case in cases:
            problems = check(fovea, case, folder)
            failed += bool(problems)
            for line in problems:
                print(f"{case.name}: {line}", flush=True)
        fovea.close()
    print(f"{len(cases)} cases of ONNX {onnx.__version__}, {failed} differ")
    sys.exit(1 if failed or not cases else 0)


if __name__ == "__main__":
    main()
