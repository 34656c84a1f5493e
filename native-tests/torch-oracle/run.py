#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `fovea attention` with PyTorch: random requests, computed there by textbook formulas in float64.

    run.py --cases 300                      each case has a seed, which a failure prints
    run.py --seed 17 --cases 1 --keep DIR   that case again, its files kept
"""

import argparse
import pathlib
import sys
import tempfile

try:
    import numpy  # of which the reference makes its random numbers
    import torch
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install torch numpy)")
    sys.exit(0)

import cases
import compare

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "command"))
from fovea import Fovea
from tensorfile import load_torch, save_torch


def check(fovea, seed, options, folder):
    case = cases.Maker(seed, options.type, options.max_order).make()
    if options.backend == "cuda" and case.dtype == torch.float64:
        return [], case
    source, target = folder / f"{seed}.in.safetensors", folder / f"{seed}.out.safetensors"
    save_torch(source, case.tensors)
    code, complaint = fovea.attention(source, target, case.arguments())
    if code != 0:
        return [f"exit code {code}: {complaint}"], case
    problems = compare.differences(case, load_torch(target))
    if not options.keep:
        source.unlink()
        target.unlink()
    return problems, case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first case")
    parser.add_argument("--backend", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--simulate", nargs="?", const="source", choices=("source", "ptx"),
                        help="cuda without a GPU: the kernels as g++ compiles them, or what nvcc makes of them")
    parser.add_argument("--type", choices=list(cases.TYPES), help="of the tensors (default: any)")
    parser.add_argument("--max-order", type=int, default=4)
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="where to leave the files")
    options = parser.parse_args()
    if options.simulate:
        options.backend = "cuda"
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        backend = [f"--simulate={options.simulate}"] if options.simulate else ["--backend", options.backend]
        fovea = Fovea(backend)
        failed = 0
        for seed in range(options.seed, options.seed + options.cases):
            problems, case = check(fovea, seed, options, folder)
            if problems:
                failed += 1
                shapes = " ".join(f"{n}{list(x.shape)}" for n, x in case.tensors.items())
                print(f"seed {seed}: {str(case.dtype)[6:]} {' '.join(case.arguments())} {shapes}")
                print("\n".join("    " + line for line in problems), flush=True)
        fovea.close()
    print(f"{options.cases} cases against PyTorch {torch.__version__}, {failed} differ")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
