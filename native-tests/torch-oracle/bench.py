#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times attention to the second derivative beside PyTorch's math path, on the CPU, in float32.

    bench.py                              at (64, 4, 128, 64) and (1, 8, 1024, 64), on one thread and on two
    bench.py --shape 1,8,2048,64 --threads 1 --rounds 40

A round is the forward pass, the gradient along dO for q, k, v, and the gradient of that along random cotangents for q, k, v
and dO. The two take turns, so that a machine that slows down does so for both; what counts is the ratio within a round.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

try:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed (pip install torch numpy)")
    sys.exit(0)

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPES = ((64, 4, 128, 64), (1, 8, 1024, 64))


class Fovea:
    def __init__(self, shape, threads):
        command = [ROOT / "fovea", "bench", "attention", "--backend", "cpu", "--threads", str(threads),
                   "--shape", ",".join(map(str, shape))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def round(self):
        """Milliseconds of one round; the first waits until all code is compiled."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return sum(json.loads(self.process.stdout.readline()).values())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Torch:
    def __init__(self, shape, threads):
        torch.set_num_threads(threads)
        generator = torch.Generator().manual_seed(1)
        tensors = [torch.randn(shape, generator=generator) for _ in range(7)]
        self.variables = [x.requires_grad_() for x in tensors[:4]]
        self.cotangents = tensors[4:]

    def round(self):
        q, k, v, do = self.variables
        start = time.perf_counter()
        with sdpa_kernel(SDPBackend.MATH):
            output = torch.nn.functional.scaled_dot_product_attention(q, k, v)
            gradients = torch.autograd.grad(output, (q, k, v), do, create_graph=True)
            torch.autograd.grad(gradients, self.variables, self.cotangents)
        return 1e3 * (time.perf_counter() - start)


def measure(shape, threads, rounds):
    fovea, pytorch = Fovea(shape, threads), Torch(shape, threads)
    for warm_up in range(3):
        fovea.round()
        pytorch.round()
    times = [(fovea.round(), pytorch.round()) for _ in range(rounds)]
    fovea.close()
    return [*zip(*times)]


def whole_numbers(text):
    return tuple(map(int, text.split(",")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=whole_numbers, action="append", metavar="B,H,N,D")
    parser.add_argument("--threads", type=whole_numbers, default=(1, 2), metavar="N,N")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    print(f"PyTorch {torch.__version__}, {options.rounds} rounds; milliseconds: median (minimum)")
    print(f"{'B, H, N, D':20} threads {'Fovea':>18} {'PyTorch':>18} {'times faster: median (of minima)':>34}")
    for shape in options.shape or SHAPES:
        for threads in options.threads:
            fovea, pytorch = measure(shape, threads, options.rounds)
            ratio = statistics.median(theirs / ours for ours, theirs in zip(fovea, pytorch))
            cells = [f"{statistics.median(times):.1f} ({min(times):.1f})" for times in (fovea, pytorch)]
            least = min(pytorch) / min(fovea)
            print(f"{', '.join(map(str, shape)):20} {threads:7} {cells[0]:>18} {cells[1]:>18}"
                  f" {f'{ratio:.2f} ({least:.2f})':>34}", flush=True)


if __name__ == "__main__":
    main()
