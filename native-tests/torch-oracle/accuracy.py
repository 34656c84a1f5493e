#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Errors of `fovea attention` in float32 beside those of PyTorch's float32 arithmetic, both against float64 autograd.

Prints for each shape and result the ratio of the largest errors, the worst over the seeds, and fails where one is above
the limit: no more than twice what textbook formulas in the same arithmetic leave is wanted of every kernel. PyTorch has no
error where few numbers are added up, or one has all the weight; it counts for at least 2^-25 of the largest result, a quarter of
a unit in its last place. A single key has gradients of 0, and no ratio.

    accuracy.py --lengths 64,256,1024 --dims 64 --seeds 3 --causal both
    accuracy.py --simulate --lengths 64,128          cuda without a GPU, whose tensor cores cut sums off as an A100's do
    accuracy.py --lengths 64 --causal no --lead 8    one key has 0.9997 of each query's probability
"""

import argparse
import math
import os
import pathlib
import sys
import tempfile

try:
    import torch
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install torch numpy)")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "command"))
from fovea import Fovea
from tensorfile import load_torch, save_torch

ARGUMENTS = ("q", "k", "v")


def inputs(heads, length, dim, seed, size, lead):
    generator = torch.Generator().manual_seed(seed)
    names = ("q", "k", "v", "do", "ddq", "ddk", "ddv", "ddo")
    t = {n: torch.randn(1, heads, length, dim, generator=generator) for n in names}
    t["q"] *= size
    if lead is not None:
        t["q"][..., 0] = 4
        t["k"][..., 0] = 0
        t["k"][..., length // 2, :] *= 0.1
        t["k"][..., length // 2, 0] = (lead + math.log(length)) / 4 * dim**0.5
    return t


def by_torch(tensors, causal, dtype):
    """All results by textbook formulas in one type: what PyTorch's math path does, and its autograd."""
    t = {n: x.to(dtype, copy=True) for n, x in tensors.items()}
    a = {n: t[n].requires_grad_() for n in ARGUMENTS + ("do",)}
    scores = (a["q"] @ a["k"].mT) * t["q"].shape[-1] ** -0.5
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
    output = torch.softmax(scores, -1) @ a["v"]
    results = {"o": output, "lse": torch.logsumexp(scores, -1)}
    gradients = torch.autograd.grad(output, [a[n] for n in ARGUMENTS], a["do"], create_graph=True)
    results |= {"d" + n: g for n, g in zip(ARGUMENTS, gradients)}
    directions = [t["dd" + n] for n in ARGUMENTS]
    second = torch.autograd.grad([*gradients, output], list(a.values()), [*directions, t["ddo"]])
    results |= {"g_" + n: g for n, g in zip(a, second)}
    return {n: x.detach().double() for n, x in results.items()}


def error(found, true):
    return float((found.double() - true).abs().max())


def ratios(fovea, folder, tensors, causal):
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    save_torch(source, tensors)
    code, complaint = fovea.attention(source, target, ["--causal=top-left"] if causal else [])
    if code != 0:
        sys.exit(f"exit code {code}: {complaint}")
    found = load_torch(target)
    true, peer = by_torch(tensors, causal, torch.float64), by_torch(tensors, causal, torch.float32)
    return {
        n: error(found[n], true[n]) / max(error(peer[n], true[n]), 2**-25 * float(true[n].abs().max()), 1e-30)
        for n in true
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--simulate", nargs="?", const="source", choices=("source", "ptx"),
                        help="cuda without a GPU: the kernels as g++ compiles them, or what nvcc makes of them")
    parser.add_argument("--sums", choices=("exact", "ampere", "hopper"), default="ampere",
                        help="how simulated tensor cores add up (docs/simulator.md)")
    parser.add_argument("--lengths", default="64,256,1024")
    parser.add_argument("--dims", default="64")
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--causal", choices=("no", "yes", "both"), default="both")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--size", type=float, default=1, help="of the queries, and so of the scores")
    parser.add_argument("--lead", type=float, help="of one key's scores over the sum of all the others'")
    parser.add_argument("--limit", type=float, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    worst = 0.0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        os.environ["FOVEA_SIMULATOR_TENSOR_SUMS"] = options.sums
        backend = [f"--simulate={options.simulate}"] if options.simulate else ["--backend", options.backend]
        fovea = Fovea(backend)
        for dim in map(int, options.dims.split(",")):
            for length in map(int, options.lengths.split(",")):
                for causal in {"no": [False], "yes": [True], "both": [False, True]}[options.causal]:
                    largest = {}
                    for seed in range(options.seed, options.seed + options.seeds):
                        tensors = inputs(options.heads, length, dim, seed, options.size, options.lead)
                        for name, ratio in ratios(fovea, folder, tensors, causal).items():
                            largest[name] = max(largest.get(name, 0), ratio)
                    worst = max(worst, *largest.values())
                    text = "  ".join(f"{n} {r:.2f}" for n, r in largest.items())
                    print(f"d {dim:3} N {length:5} {'causal' if causal else 'full  '}  {text}", flush=True)
        fovea.close()
    print(f"worst {worst:.2f}, limit {options.limit:g}")
    return worst > options.limit


if __name__ == "__main__":
    sys.exit(main())
