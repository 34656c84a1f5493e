# SPDX-License-Identifier: Apache-2.0
"""The error that an answer may have against the reference."""

import math

import torch

from reference import answer, score_sizes

# The error of a result, in units of the last place of its magnitude, besides that of plain evaluation.
DOUBLE_TOLERANCE = 1e-11
SERIES_GROWTH = 64


def unit(dtype):
    return torch.finfo(dtype).eps


def differences(case, got):
    """Lines that say where an answer is wrong."""
    expected = answer(case)
    lines = [f"{n} is missing" for n in expected if n not in got]
    lines += [f"{n} was not asked for" for n in got if n not in expected]
    coarse = {} if case.dtype == torch.float64 else plain(case)
    for name in sorted(expected.keys() & got.keys()):
        lines += difference(case, name, got[name], expected[name], coarse.get(name))
    return lines


def plain(case):
    """The same in plain arithmetic of the request's own type, the measure of what rounding does."""
    return answer(case, case.dtype)


def difference(case, name, got, expected, coarse):
    scalar = name.split(".")[0] in ("lse", "tlse", "g_dlse")
    dtype = torch.float32 if scalar and case.dtype.itemsize == 2 else case.dtype
    if got.dtype != dtype or got.shape != expected.shape:
        return [f"{name} is {got.dtype} {list(got.shape)}, expected {dtype} {list(expected.shape)}"]
    if not expected.numel():
        return []
    got = got.double()
    special = ~torch.isfinite(expected)
    if not torch.equal(torch.isnan(got), torch.isnan(expected)) or not torch.equal(
            got[special & ~torch.isnan(expected)], expected[special & ~torch.isnan(expected)]):
        wrong = torch.isfinite(got) != torch.isfinite(expected)
        return [f"{name}: {int(wrong.sum())} of {wrong.numel()} are finite where they shouldn't be or the other way"
                f" round, {got[wrong][:3].tolist()} for {expected[wrong][:3].tolist()}"]
    expected = torch.where(special, 0.0, expected)
    error = (torch.where(special, 0.0, got) - expected).abs()
    allowed = tolerance(case, name, expected, coarse)
    if bool((error <= allowed).all()):
        return []
    worst = int((error / allowed).argmax())
    return [f"{name} is off by {error.flatten()[worst]:.3g} at {worst} of {list(expected.shape)}, where"
            f" {expected.flatten()[worst]:.6g} is expected and {allowed.flatten()[worst]:.3g} allowed"]


def tolerance(case, name, expected, coarse):
    """Per element: the rounding of the result, and of the way there."""
    magnitude = 1 + expected.abs().max()
    if case.dtype == torch.float64:
        return torch.full_like(expected, DOUBLE_TOLERANCE) * magnitude
    eps = unit(case.dtype)
    if coarse is None:
        return (SERIES_GROWTH * eps * magnitude).expand_as(expected) + eps * expected.abs()
    coarse = torch.where(torch.isfinite(coarse), coarse.double(), expected)
    plain_error = (coarse - expected).abs().max()
    score, changes = score_sizes(case)
    # A change of all scores alike cancels, but for the rounding of the probabilities: where there is but one key, say.
    change = changes.get("dd" if name.startswith("g_") else name[0], 0)
    # The exponential makes of the rounding of a score one of so many units.
    floor = 2 * (4 + score) * unit(torch.float32) * math.sqrt(summands(case, name)) * max(magnitude, 1 + change)
    return (3 * plain_error + floor).expand_as(expected) + eps * expected.abs()


def summands(case, name):
    """A query sums over keys, a key over the queries of all heads that read it, a bias over all pairs that share it."""
    q, k = case.tensors["q"].shape, case.tensors["k"].shape
    count = max(k[2], q[2] * q[1] // max(1, k[1]))
    if name.endswith("bias"):
        count = max(count, q[0] * q[1] * q[2] * k[2] // max(1, case.tensors["bias"].numel()))
    return 1 + count
