# SPDX-License-Identifier: Apache-2.0
"""Attention as PyTorch computes it: textbook formulas on whole score matrices, differentiated by autograd.

A sink is in the denominator, always. A row without any score, one that sees no key or whose scores are all -infinity, has
with a sink output 0 and the sink's score as its log-sum-exp, whose gradient is then the sink's. Without a sink it is dead:
output 0, log-sum-exp +infinity and every derivative 0.

Every tensor may be complex: a Taylor coefficient is an integral along a circle (Cauchy), so that a coefficient of any
order costs nothing but evaluations, and no derivative formula is written down twice.
"""

import math

import numpy
import torch

ARGUMENTS = ("q", "k", "v", "bias", "sink")
CIRCLE_POINTS = 64
CIRCLE_RADIUS = 0.5


class Geometry:
    """Who may see whom and where everybody stands: what of a case has no derivative."""

    def __init__(self, case):
        t, o = case.tensors, case.options
        batch, heads, queries, _ = t["q"].shape
        past = t["past_k"].shape[2] if "past_k" in t else 0
        keys = past + t["k"].shape[2]
        i = torch.arange(queries).expand(batch, queries).clone()
        j = torch.arange(keys).expand(batch, keys).clone()
        lengths = torch.full((batch,), keys)
        if "kv_lengths" in t:
            lengths = t["kv_lengths"].long()
        seen = (j < lengths[:, None])[:, None, :].expand(batch, queries, keys).clone()
        row_queries = torch.full((batch, queries), queries)
        row_lengths = lengths[:, None].expand(batch, queries).clone()
        if "cu_seqlens_q" in t:
            self.unpack(t, i, j, seen, row_queries, row_lengths, int(lengths[0]))
        if "q_segments" in t:
            seen &= t["q_segments"][:, :, None] == t["k_segments"][:, None, :]
        position = past + i
        if "bottom-right" in (o.get("causal"), o.get("align")):
            position = row_lengths - row_queries + i
        distance = position[:, :, None] - j[:, None, :]
        if "causal" in o:
            seen &= distance >= 0
        left, right = o.get("window", (-1, -1))
        if left >= 0:
            seen &= distance <= left
        if right >= 0:
            seen &= distance >= -right
        seen = seen[:, None].expand(batch, heads, queries, keys).clone()
        self.added = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
        if "mask" in t:
            mask = t["mask"]
            shown = mask if mask.dtype == torch.bool else mask != -math.inf
            seen &= shown.expand(batch, heads, queries, keys)
            if mask.dtype != torch.bool:
                self.added = self.added + mask.double()
        self.seen = seen
        if "alibi" in t:
            slopes = t["alibi"].double()[None, :, None, None]
            self.added = self.added - slopes * distance.abs()[:, None]
        self.added = torch.where(seen, self.added.expand(seen.shape), 0.0)
        self.kept = torch.ones(())
        if "dropout" in o:
            self.kept = dropout_factors(o["dropout"], o["seed"], *seen.shape)

    @staticmethod
    def unpack(t, i, j, seen, row_queries, row_lengths, valid):
        """Positions and lengths within each sequence of a packed batch; rows of none see nothing."""
        starts_q, starts_k = t["cu_seqlens_q"].tolist(), t["cu_seqlens_k"].tolist()
        together = torch.zeros_like(seen)
        for s in range(len(starts_q) - 1):
            rows = slice(starts_q[s], starts_q[s + 1])
            columns = slice(starts_k[s], starts_k[s + 1])
            i[0, rows] -= starts_q[s]
            j[0, columns] -= starts_k[s]
            row_queries[0, rows] = starts_q[s + 1] - starts_q[s]
            row_lengths[0, rows] = max(0, min(starts_k[s + 1], valid) - starts_k[s])
            together[0, rows, columns] = True
        seen &= together


def dropout_factors(probability, seed, batch, heads, queries, keys):
    """The documented mask: number i 2^34 + j of stream b heads + h of Philox."""
    stream = numpy.arange(batch * heads, dtype=numpy.uint64)[:, None, None]
    i = numpy.arange(queries, dtype=numpy.uint64)[None, :, None]
    j = numpy.arange(keys, dtype=numpy.uint64)[None, None, :]
    shape = (batch * heads, queries, keys)
    number = numpy.broadcast_to((i << numpy.uint64(34)) + j, shape)
    uniform = philox_uniform(seed, numpy.broadcast_to(stream, shape), number)
    keep = (uniform >= numpy.float32(probability)) & (probability < 1)
    factor = 1 / (1 - probability) if probability < 1 else 0.0
    return torch.from_numpy(numpy.where(keep, factor, 0.0)).reshape(batch, heads, queries, keys)


def similarity(kind, q, k, base_q, base_k):
    products = q @ k.mT
    if kind == "dot":
        return products
    squares_q, squares_k = (q * q).sum(-1)[..., :, None], (k * k).sum(-1)[..., None, :]
    if kind == "euclidean":
        return -((q[..., :, None, :] - k[..., None, :, :]) ** 2).sum(-1)
    # A row of zeros has similarity 0, and stays there.
    nonzero = (base_q != 0).any(-1)[..., :, None] & (base_k != 0).any(-1)[..., None, :]
    norms = torch.where(nonzero, squares_q * squares_k, 1.0).sqrt()
    return torch.where(nonzero, products / norms, 0.0)


def attend(case, geometry, a):
    """Output and log-sum-exp of the arguments in a, whose values at the expansion point are those of the case."""
    o, t = case.options, case.tensors
    group = t["q"].shape[1] // max(1, t["k"].shape[1])
    real = a["q"].real.dtype
    k, v = (past(t, name, a[name]).repeat_interleave(group, 1) for name in ("k", "v"))
    base_k = past(t, "k", t["k"]).repeat_interleave(group, 1)
    scale = o.get("scale", 1 / math.sqrt(t["q"].shape[-1]))
    scores = scale * similarity(o.get("similarity", "dot"), a["q"], k, t["q"], base_k)
    stages = {"scores": scores}
    if "bias" in a:
        scores = scores + a["bias"]
    if o.get("softcap"):
        scores = o["softcap"] * torch.tanh(scores / o["softcap"])
    stages["softcap"] = scores
    scores = scores + geometry.added.to(real)
    stages["masked"] = torch.where(geometry.seen, scores, -math.inf)
    shown = torch.where(geometry.seen, scores, 0.0)
    highest = torch.where(geometry.seen, scores.detach().real, -math.inf)
    highest = highest.max(-1).values if highest.shape[-1] else torch.full(highest.shape[:-1], -math.inf, dtype=real)
    if "sink" in a:
        sink = a["sink"][None, :, None]
        highest = torch.maximum(highest, sink.detach().real.expand(highest.shape))
    dead = highest == -math.inf
    stages["dead"] = dead
    highest = torch.where(dead, 0.0, highest)
    exponentials = torch.where(geometry.seen, torch.exp(shown - highest[..., None]), 0.0)
    total = exponentials.sum(-1)
    if "sink" in a:
        total = total + torch.exp(sink - highest)
    total = torch.where(dead, 1.0, total)
    weights = exponentials / total[..., None]
    stages["softmax"] = weights
    output = (weights * geometry.kept.to(real)) @ v
    log_sum_exp = torch.where(dead, math.inf, highest + torch.log(total))
    return output, log_sum_exp, stages


def past(t, name, rows):
    return torch.cat([t["past_" + name].to(rows.dtype), rows], 2) if "past_" + name in t else rows


def objective(case, geometry, a, outputs=None):
    """dO . O + dLSE . LSE, whose gradient is attention's backward."""
    output, log_sum_exp, stages = outputs or attend(case, geometry, a)
    value = (a["do"] * output).sum()
    if "dlse" in a:
        value = value + (a["dlse"] * torch.where(stages["dead"], 0.0, log_sum_exp)).sum()
    return value


def gradient(value, inputs, create_graph=False):
    gradients = torch.autograd.grad(
        value, list(inputs.values()), torch.ones_like(value), create_graph=create_graph, allow_unused=True)
    return {n: torch.zeros_like(x) if g is None else g for (n, x), g in zip(inputs.items(), gradients)}


def answer(case, dtype=torch.float64):
    """Everything that the request asks for."""
    given = case.tensors
    t = {n: x.to(dtype) if x.is_floating_point() else x for n, x in case.clean.items()}
    case = case.with_tensors(t)
    geometry = Geometry(case)
    variables = {n: t[n].detach().requires_grad_() for n in ARGUMENTS + ("do", "dlse") if n in t}
    arguments = {n: x for n, x in variables.items() if n in ARGUMENTS}
    outputs = attend(case, geometry, variables)
    result = {"o": outputs[0], "lse": outputs[1]}
    for name in ("k", "v"):
        if "past_" + name in t:
            result["present_" + name] = past(given, name, given[name])
    if "weights" in case.options:
        rows = slice(*case.options.get("rows", (None, None)))
        result["weights"] = outputs[2][case.options["weights"]][:, :, rows]
    if "do" in t:
        second = any("dd" + n in t for n in ARGUMENTS + ("o",))
        gradients = gradient(objective(case, geometry, variables, outputs), arguments, create_graph=True)
        result |= {"d" + n: g for n, g in gradients.items()}
        if second:
            value = sum((gradients[n] * t["dd" + n]).sum() for n in arguments if "dd" + n in t)
            if "ddo" in t:
                value = value + (outputs[0] * t["ddo"]).sum()
            if "dlse" not in t:
                result["g_dlse"] = tangent(case, geometry, arguments, "dd")[1]
            result |= {"g_" + n: g for n, g in gradient(value, variables, create_graph=True).items()}
    if any("t" + n in t for n in ARGUMENTS):
        result["to"], result["tlse"], _ = tangent(case, geometry, arguments, "t")
    if dtype == torch.float64 and case.options.get("order"):
        result |= coefficients(case, geometry)
    return {n: x.detach() for n, x in result.items()}


def tangent(case, geometry, arguments, prefix):
    """Change of the output, of the log-sum-exp and of the scores along the tensors of a prefix."""
    names = list(arguments)

    def outputs(*values):
        output, log_sum_exp, stages = attend(case, geometry, dict(zip(names, values)))
        return output, torch.where(stages["dead"], 0.0, log_sum_exp), stages["softcap"]

    directions = tuple(case.tensors.get(prefix + n, torch.zeros_like(arguments[n])) for n in names)
    return torch.func.jvp(outputs, tuple(x.detach() for x in arguments.values()), directions)[1]


def score_sizes(case):
    """The largest score of a visible pair, and by prefix how much one changes at most along the tensors of it."""
    case = case.with_tensors({n: x.double() if x.is_floating_point() else x for n, x in case.clean.items()})
    geometry = Geometry(case)
    arguments = {n: case.tensors[n] for n in ARGUMENTS if n in case.tensors}
    changes = {prefix: largest(tangent(case, geometry, arguments, prefix)[2][geometry.seen]) for prefix in ("dd", "t")}
    return largest(attend(case, geometry, arguments)[2]["masked"]), changes


def largest(x):
    x = x[torch.isfinite(x)].abs()
    return float(x.max()) if x.numel() else 0.0


def coefficients(case, geometry):
    """Taylor coefficients of all results along the curve of the case's coefficients."""
    t, order = case.tensors, case.options["order"]
    names = [n for n in ARGUMENTS + ("do", "dlse") if n in t or f"{n}.1" in t or any(
        f"{n}.{i}" in t for i in range(1, order + 1))]
    base = {n: t[n] if n in t else torch.zeros(t["q"].shape[:3], dtype=torch.float64) for n in names}
    sums = {}
    for point in range(CIRCLE_POINTS):
        angle = 2 * math.pi * point / CIRCLE_POINTS
        z = CIRCLE_RADIUS * complex(math.cos(angle), math.sin(angle))
        a = {n: x.to(torch.complex128) for n, x in base.items()}
        for n in names:
            for i in range(1, order + 1):
                if f"{n}.{i}" in t:
                    a[n] = a[n] + t[f"{n}.{i}"] * z**i
        a = {n: x.detach().requires_grad_() for n, x in a.items()}
        outputs = attend(case, geometry, a)
        values = {"o": outputs[0].detach(), "lse": torch.where(outputs[2]["dead"], 0.0, outputs[1].detach())}
        if "do" in t:
            arguments = {n: x for n, x in a.items() if n in ARGUMENTS}
            value = objective(case, geometry, a, outputs)
            # Autograd's gradient of a holomorphic function is the conjugate of its derivative.
            values |= {"d" + n: g.conj() for n, g in gradient(value, arguments).items()}
        for n, x in values.items():
            for i in range(1, order + 1):
                name = f"{n}.{i}"
                sums[name] = sums.get(name, 0) + (x * z**-i).real / CIRCLE_POINTS
    return sums


def philox_uniform(seed, stream, number):
    """Philox 4x32-10: uniform numbers with 23 bits at places of streams."""
    low, shift = numpy.uint64(0xFFFFFFFF), numpy.uint64(32)
    block = number >> numpy.uint64(2)
    c = [block & low, block >> shift, stream & low, stream >> shift]
    key = numpy.uint64(seed & 0xFFFFFFFFFFFFFFFF)
    k = [key & low, key >> shift]
    for _ in range(10):
        product0, product1 = numpy.uint64(0xD2511F53) * c[0], numpy.uint64(0xCD9E8D57) * c[2]
        c = [(product1 >> shift) ^ c[1] ^ k[0], product1 & low, (product0 >> shift) ^ c[3] ^ k[1], product0 & low]
        k = [(k[0] + numpy.uint64(0x9E3779B9)) & low, (k[1] + numpy.uint64(0xBB67AE85)) & low]
    bits = numpy.choose((number & numpy.uint64(3)).astype(numpy.int64), c)
    return (((bits >> numpy.uint64(9)).astype(numpy.float64) + 0.5) * 2.0**-23).astype(numpy.float32)
