# SPDX-License-Identifier: Apache-2.0
"""Times PyTorch on the workloads named on standard input, one a line as `bench --list` prints them.

Prints `WORKLOAD<tab>SECONDS<tab>VARIANT`, a line per way in which PyTorch can do it; the fastest is what Fovea is compared
with. What a way cannot do, or has no memory for, is left out with a word on standard error.
"""

import sys
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

TYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32, "tf32": torch.float32}
BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}
SECONDS_PER_VARIANT = 0.25
SCORES_MAX = 2**32  # elements of a matrix of scores beyond which the math variant is not worth the wait


def median_seconds(work):
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    samples = []
    while len(samples) < 5 or (sum(samples) < SECONDS_PER_VARIANT and len(samples) < 100):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        work()
        end.record()
        end.synchronize()
        samples.append(start.elapsed_time(end) / 1e3)
    return sorted(samples)[len(samples) // 2]


def normal(shape, dtype, gradient=False):
    return torch.randn(shape, dtype=dtype, device="cuda", requires_grad=gradient)


def inputs_of(shape, dtype, gradient=False):
    """Query, key and value, and attention for them. A fifth extent is the number of key heads."""
    batch, heads, rows, dim, *key_heads = shape
    key_shape = (batch, *(key_heads or [heads]), rows, dim)
    inputs = [normal(extents, dtype, gradient) for extents in (shape[:4], key_shape, key_shape)]
    grouped = {"enable_gqa": True} if key_heads else {}  # older versions don't know it
    return inputs, lambda: F.scaled_dot_product_attention(*inputs, **grouped)


def forward(shape, dtype):
    _, attention = inputs_of(shape, dtype)
    return attention


def backward(shape, dtype):
    inputs, attention = inputs_of(shape, dtype, gradient=True)
    output = attention()
    d_output = normal(output.shape, dtype)
    return lambda: torch.autograd.grad(output, inputs, d_output, retain_graph=True)


def double_backward(shape, dtype):
    inputs, attention = inputs_of(shape, dtype, gradient=True)
    output = attention()
    d_output = normal(output.shape, dtype, gradient=True)
    gradients = torch.autograd.grad(output, inputs, d_output, create_graph=True)
    tangents = [normal(x.shape, dtype) for x in inputs]
    return lambda: torch.autograd.grad(gradients, [*inputs, d_output], tangents, retain_graph=True)


ATTENTION = {
    "attention_forward": (forward, list(BACKENDS)),
    "attention_backward": (backward, list(BACKENDS)),
    "attention_double_backward": (double_backward, ["math"]),  # the others have no second derivative
}


def measure(workload):
    operation, type_name, *extents = workload.split()
    shape, dtype = [int(extent) for extent in extents], TYPES[type_name]
    torch.backends.cuda.matmul.allow_tf32 = type_name == "tf32"
    if operation == "gemm":
        m, n, k = shape
        a, b = normal((m, k), dtype), normal((k, n), dtype)
        yield "matmul", median_seconds(lambda: a @ b), 0
        return
    prepare, variants = ATTENTION[operation]
    batch, heads, rows = shape[:3]
    for variant in variants:
        if variant == "math" and batch * heads * rows * rows > SCORES_MAX:
            continue
        try:
            with sdpa_kernel([BACKENDS[variant]]):
                before = torch.cuda.memory_allocated()
                torch.cuda.reset_peak_memory_stats()
                work = prepare(shape, dtype)
                yield variant, median_seconds(work), torch.cuda.max_memory_allocated() - before
        except RuntimeError as error:  # out of memory is one too
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            print(f"{workload}, {variant}: {reason}", file=sys.stderr)
        finally:
            work = None
            torch.cuda.empty_cache()


def main():
    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device")
    print(f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}", file=sys.stderr)
    deadline = time.monotonic() + float(sys.argv[1]) if len(sys.argv) > 1 else float("inf")
    for line in sys.stdin:
        workload = line.strip()
        if time.monotonic() > deadline:
            sys.exit("out of time before " + workload)
        for variant, seconds, peak_bytes in measure(workload):
            peak = f", peak {peak_bytes / 2**20:.0f} MiB" if peak_bytes else ""
            print(f"{workload}\t{seconds:.9f}\t{variant}{peak}", flush=True)


if __name__ == "__main__":
    main()
