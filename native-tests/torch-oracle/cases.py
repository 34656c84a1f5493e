# SPDX-License-Identifier: Apache-2.0
"""Random requests over everything that the command knows."""

import dataclasses
import math
import random
import re

import torch

from reference import ARGUMENTS, Geometry

TYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
LENGTHS = (1, 2, 3, 5, 6, 13, 17, 31, 33, 40)
LONG = (0, 64, 97, 129, 207)
HEAD_DIMS = (1, 2, 3, 5, 8, 13, 16, 17, 32, 33, 64)
WINDOWS = (-1, 0, 1, 3, 10, 999_999_999)
WIDE = (65, 97, 128, 192, 207, 256)


@dataclasses.dataclass
class Case:
    """A request: options, the tensors of the file, and the same without the garbage that nobody sees."""

    options: dict
    tensors: dict
    clean: dict

    def with_tensors(self, tensors):
        return dataclasses.replace(self, tensors=tensors)

    @property
    def dtype(self):
        return self.tensors["q"].dtype

    def arguments(self):
        """The options as they stand on a command line."""
        flags = []
        for name, value in self.options.items():
            if name == "causal":
                flags.append("--causal=" + value)
            elif name == "weights":
                flags.append("--weights=" + value)
            elif name in ("window", "rows"):
                flags += ["--" + name, (":" if name == "rows" else ",").join(map(str, value))]
            else:
                flags += ["--" + name, str(value)]
        return flags


class Maker:
    """Draws one case. Each feature is there or not, independently of the others."""

    def __init__(self, seed, only_type=None, max_order=4):
        self.random = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.type = TYPES[only_type or self.random.choices(list(TYPES), (5, 3, 1, 1))[0]]
        self.max_order = max_order

    def chance(self, probability):
        return self.random.random() < probability

    def choice(self, *values):
        return self.random.choice(values)

    def normal(self, *shape, dtype=None):
        return torch.randn(shape, generator=self.generator, dtype=torch.float64).to(dtype or self.type)

    def real(self, *shape):
        """Numbers that need not be of q's type."""
        return self.normal(*shape, dtype=self.choice(self.type, torch.float32, *TYPES.values()))

    def integers(self, low, high, *shape):
        dtype = self.choice(torch.int32, torch.int64)
        return torch.randint(low, high, shape, generator=self.generator).to(dtype)

    def length(self):
        return self.choice(*LENGTHS) if self.chance(0.9) else self.choice(*LONG)

    def head_dim(self):
        return self.choice(*HEAD_DIMS) if self.chance(0.9) else self.choice(*WIDE)

    def make(self):
        packed = self.chance(0.2)
        batch = 1 if packed else self.random.choices((1, 2, 3, 0), (5, 4, 2, 0.3))[0]
        key_heads = self.choice(1, 1, 2, 3)
        heads = key_heads * self.choice(1, 1, 2, 4)
        queries, keys = self.length(), self.length()
        dim, value_dim = self.head_dim(), self.head_dim()
        past = self.choice(1, 4, 11) if not packed and self.chance(0.2) else 0
        every = keys + past
        t = {
            "q": self.normal(batch, heads, queries, dim),
            "k": self.normal(batch, key_heads, keys, dim),
            "v": self.normal(batch, key_heads, keys, value_dim),
        }
        if past:
            t["past_k"] = self.normal(batch, key_heads, past, dim)
            t["past_v"] = self.normal(batch, key_heads, past, value_dim)
        options = self.options(queries)
        if options.get("similarity") == "cosine":
            self.measure_angles(t)
        if "order" not in options and self.chance(0.1):
            t["q"] = t["q"] * 20  # nearly all of a row's weight on one key
        scores = (batch, heads, queries, every)
        if self.chance(0.3):
            shape = self.broadcast(scores)
            if self.chance(0.5):
                t["mask"] = torch.rand(shape, generator=self.generator) < self.choice(0.3, 0.8)
            else:
                t["mask"] = self.real(*shape)
                hidden = torch.rand(shape, generator=self.generator) < 0.3
                t["mask"] = t["mask"].masked_fill(hidden, -math.inf)
        if self.chance(0.35):
            t["bias"] = self.real(*self.broadcast(scores))
            # The reference's coefficients come of complex numbers, and PyTorch's complex tanh of -infinity is NaN.
            if self.chance(0.1) and not ("order" in options and "softcap" in options):
                t["bias"] = t["bias"].masked_fill(torch.rand(t["bias"].shape, generator=self.generator) < 0.2, -math.inf)
        if self.chance(0.2):
            t["alibi"] = self.real(heads).abs() / 4
        if self.chance(0.25):
            t["sink"] = self.real(heads)
        if self.chance(0.2):
            t["kv_lengths"] = self.integers(0, every + 1, batch)
        if self.chance(0.2):
            t["q_segments"] = self.integers(0, 3, batch, queries)
            t["k_segments"] = self.integers(0, 3, batch, every)
        if packed:
            sequences = self.choice(1, 2, 3, 4)
            for name, rows in (("q", queries), ("k", keys)):
                ends = sorted(self.random.randint(0, rows) for _ in range(sequences))
                ends[-1] = rows if self.chance(0.8) else ends[-1]
                t["cu_seqlens_" + name] = torch.tensor([0] + ends, dtype=self.choice(torch.int32, torch.int64))
        self.derivatives(t, options, (batch, heads, queries, value_dim))
        clean = dict(t)
        case = Case(options, t, clean)
        if self.chance(0.3) and options.get("weights") not in ("scores", "softcap"):
            self.hide_garbage(case)
        return case

    def options(self, queries):
        o = {}
        if self.chance(0.4):
            o["causal"] = self.choice("top-left", "bottom-right")
        elif self.chance(0.2):
            o["align"] = self.choice("top-left", "bottom-right")
        if self.chance(0.25):
            o["window"] = (self.choice(*WINDOWS), self.choice(*WINDOWS))
        if self.chance(0.3):
            o["scale"] = self.choice(0.25, 1.0, -0.5, 0.1, 0.0)
        if self.chance(0.25):
            o["softcap"] = self.choice(0.7, 2.0, 20.0, 0.0)
        if self.chance(0.4):
            o["similarity"] = self.choice("cosine", "euclidean", "dot")
        if self.chance(0.2):
            o["dropout"], o["seed"] = self.choice(0.1, 0.5, 0.0, 1.0), self.choice(0, 7, -3, 2**40 + 1)
        if self.chance(0.25):
            o["weights"] = self.choice("scores", "softcap", "masked", "softmax")
            if self.chance(0.4):
                first = self.random.randint(0, queries)
                o["rows"] = (first, self.random.randint(first, queries))
        if self.chance(0.25):
            o["order"] = self.random.randint(1, self.max_order)
        return o

    def measure_angles(self, t):
        """Close to zero the direction of a row is nothing but rounding; at zero there is none."""
        for name in {"q", "k", "past_k"} & t.keys():
            t[name] = t[name] * (0.5 / t[name].norm(dim=-1, keepdim=True)).clamp(min=1)
        if self.chance(0.3):
            t["q"][..., :1, :] = 0
            t["k"][..., -1:, :] = 0

    def broadcast(self, shape):
        kept = [n if self.chance(0.6) else 1 for n in shape]
        return kept[self.choice(0, 0, 1, 2, 3, 4) :]

    def derivatives(self, t, options, output_shape):
        base = {n: t[n] for n in ARGUMENTS if n in t}
        if self.chance(0.6):
            t["do"] = self.normal(*output_shape)
            if self.chance(0.4):
                t["dlse"] = self.real(*output_shape[:3])
            if self.chance(0.5):
                for n, x in base.items():
                    if self.chance(0.7):
                        t["dd" + n] = self.like(n, x)
                if self.chance(0.5):
                    t["ddo"] = self.normal(*output_shape)
        if self.chance(0.35):
            for n, x in base.items():
                if self.chance(0.7):
                    t["t" + n] = self.like(n, x)
        for i in range(1, options.get("order", 0) + 1):
            for n, x in (base | {n: t[n] for n in ("do", "dlse") if n in t}).items():
                if self.chance(0.6):
                    # Small, so that the circle of the reference stays clear of the poles of the softmax.
                    t[f"{n}.{i}"] = self.like(n, x) / (8 * max((1, *x.shape[-1:])) ** 0.5)
                    if options.get("similarity") == "cosine" and n in ("q", "k"):
                        # And of the norm's: a row moves by less than its length.
                        t[f"{n}.{i}"] = t[f"{n}.{i}"] * x.norm(dim=-1, keepdim=True).clamp(max=1)

    def like(self, name, x):
        return self.normal(*x.shape) if name in ("q", "k", "v", "do") else self.real(*x.shape)

    def hide_garbage(self, case):
        """NaN and infinity where nobody looks: the reference gets zeros there."""
        seen = Geometry(case).seen
        if seen.numel() == 0:
            return
        past = case.tensors["past_k"].shape[2] if "past_k" in case.tensors else 0
        group = case.tensors["q"].shape[1] // case.tensors["k"].shape[1]
        unseen = ~seen.any(2).unflatten(1, (-1, group)).any(2)
        blind = ~seen.any(-1)
        rubbish = self.choice(math.nan, math.inf, -math.inf)
        for name in list(case.tensors):
            base = re.sub(r"^(dd|t)(?=q|k|v|bias)|\.\d+$", "", name)
            if base in ("k", "v"):
                self.spoil(case, name, unseen[..., past:, None], rubbish)
            elif base in ("past_k", "past_v"):
                self.spoil(case, name, unseen[..., :past, None], rubbish)
            elif base in ("q", "do", "ddo"):
                self.spoil(case, name, blind[..., None], rubbish)
            elif base == "dlse" and "sink" not in case.tensors:
                self.spoil(case, name, blind, rubbish)
            elif base in ("bias", "mask") and case.tensors[name].is_floating_point():
                hidden = self.hidden(seen, case.tensors[name].shape)
                if name == "mask":
                    hidden &= case.tensors[name] != -math.inf
                self.spoil(case, name, hidden, rubbish)

    @staticmethod
    def hidden(seen, shape):
        """The elements of a tensor added to the scores that only hidden pairs use."""
        extents = (1,) * (4 - len(shape)) + tuple(shape)
        hidden = ~seen
        for axis, extent in enumerate(extents):
            if extent == 1:
                hidden = hidden.all(axis, keepdim=True)
        return hidden.reshape(shape)

    @staticmethod
    def spoil(case, name, where, rubbish):
        case.clean[name] = case.tensors[name].masked_fill(where, 0)
        case.tensors[name] = case.tensors[name].masked_fill(where, rubbish)
