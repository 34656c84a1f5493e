# SPDX-License-Identifier: Apache-2.0
"""What the name of a kernel says of it: of attention as org.fovea.backend.cuda.attention.AttentionSchedule has it, of matrix products
as kernels/nn/gemm_tile.cuh."""

import dataclasses
import re

NAME = re.compile(r"attention_(\w+?)_(f32_by_tf32|f32_by_bf16|f32|bf16|f16)_d(\d+)(?:_r(\d+))?_m(\d+)$")
GEMM_NAME = re.compile(r"(gemm|linear_backward|linear_layers|linear_layers_backward)_(large|medium|tall|wide)(?:_(f32|bf16|f16))?$")

# By kind: stationary and moving tiles, whether those have two buffers, floats per moving row; and the walks over moving tiles, each
# with its products of whole columns and of columns that PARTS blocks share out.
KINDS = {
    "forward": (1, 2, False, 0, {"keys": (2, 0)}),
    "forward_whole": (3, 0, False, 0, {"keys": (2, 0)}),
    "backward_rows": (2, 2, True, 0, {"keys": (3, 0)}),
    "backward_columns": (2, 2, True, 3, {"queries": (2, 2)}),
    "backward_whole": (5, 0, False, 3, {"keys": (3, 0), "queries": (4, 0)}),
    "jvp": (2, 4, False, 0, {"keys": (5, 0)}),
    "tangent_rows": (4, 4, False, 0, {"keys": (6, 2)}),
    "tangent_columns": (4, 4, False, 0, {"queries": (6, 4)}),
    "tangent_whole": (8, 0, False, 0, {"keys, for O.": (5, 0), "keys": (8, 0), "queries": (10, 0)}),
}


@dataclasses.dataclass(frozen=True)
class Schedule:
    kind: str
    type: str
    dim: int
    rows: int  # of a block; 0 for whole heads
    moving: int

    @classmethod
    def of(cls, kernel):
        m = NAME.match(kernel)
        return cls(m[1], m[2], int(m[3]), int(m[4] or 0), int(m[5])) if m and m[1] in KINDS else None

    @property
    def element(self):
        return 4 if self.type.startswith("f32") else 2

    @property
    def products(self):
        """HMMA of 8 columns for each fragment of 16 elements of k."""
        return {"f32": 6, "f32_by_tf32": 2}.get(self.type, 1)

    @property
    def parts(self):
        shared_out = self.kind == "backward_columns" or self.kind.startswith("tangent_")
        return 2 if self.dim == 256 and self.rows and shared_out else 1

    def head_rows(self, length):
        return -(-length // self.moving) * self.moving

    def heads(self, length):
        """In a block, if it has whole ones."""
        return max(1, min(128 // (2 * self.head_rows(length)), 99 * 1024 // self.head_bytes(length)))

    def head_bytes(self, length):
        tiles, _, _, scalars, _ = KINDS[self.kind]
        return self.head_rows(length) * (tiles * (self.dim * self.element + 16) + 4 * scalars)

    def threads(self, length):
        return min(2 * self.rows, 128) if self.rows else self.heads(length) * 2 * self.head_rows(length)

    def shared(self, length):
        """Bytes of dynamic shared memory of a block."""
        stationary, moving, double, scalars, _ = KINDS[self.kind]
        if not self.rows:
            return self.heads(length) * self.head_bytes(length)
        row = self.dim * self.element
        moving_rows = self.moving * (2 if double and row < 512 else 1)
        tiles = 2 if self.phased else moving
        return (stationary * self.rows + tiles * moving_rows) * (row + 16) + 4 * scalars * moving_rows

    @property
    def phased(self):
        """Whether two pairs of moving tiles take turns in one place."""
        return self.rows and KINDS[self.kind][0] == 4 and self.dim * self.element > 512

    def tiles(self):
        """That are loaded for a step of a walk."""
        return 6 if self.phased else KINDS[self.kind][1]

    def walks(self):
        """HMMA of a warp per moving tile, by what it walks over."""
        m = max(1, self.rows // 64)
        product = m * (self.moving // 8) * self.products * self.dim // 16
        return {over: product * whole + product * shared // self.parts for over, (whole, shared) in KINDS[self.kind][4].items()}

    def step(self):
        """HMMA of 16 columns of one product of rows by rows."""
        return max(1, self.rows // 64) * (self.moving // 8) * self.products

    def copies(self):
        """16-byte copies of a thread for a moving tile."""
        return self.moving * self.dim * self.element // 16 // self.threads(64)


# Rows and columns of a tile of C, and of a warp.
GEMM_TILES = {"large": (128, 128, 64, 32), "medium": (64, 64, 32, 32), "tall": (128, 16, 32, 16), "wide": (16, 128, 16, 32)}


@dataclasses.dataclass(frozen=True)
class GemmSchedule:
    tile: str
    type: str  # of A and B

    @classmethod
    def of(cls, kernel):
        m = GEMM_NAME.match(kernel)
        return cls(m[2], m[3] or "f32") if m else None

    def threads(self):
        m, n, warp_m, warp_n = GEMM_TILES[self.tile]
        return 32 * (m // warp_m) * (n // warp_n)

    def shared(self):
        """Bytes: four slices of A and of B."""
        return 4 * sum(max(80 * across, 64 * (across + 8)) for across in GEMM_TILES[self.tile][:2])

    def copies(self):
        """16-byte copies of a thread for a slice."""
        return sum(-(-4 * across // self.threads()) for across in GEMM_TILES[self.tile][:2])

    def walks(self):
        """HMMA of a warp per slice, by what floats are taken as."""
        _, _, m, n = GEMM_TILES[self.tile]
        fragments = m // 16 * (n // 8)
        return {"3 tf32": 6 * fragments, "tf32": 2 * fragments, "bf16": fragments} if self.type == "f32" else {self.type: 2 * fragments}
