# SPDX-License-Identifier: Apache-2.0
"""How much of each kind of work a multiprocessor does, as org.fovea.cli.bench.Card has it, with its sources; and what fits on one
(CUDA C++ Programming Guide, "Compute capabilities").

Blackwell's rates follow from peaks: B200 of 2,250 TFLOP/s in bf16 and 8 TB/s (NVIDIA Blackwell Architecture Technical Brief, 2024), at
1.86 GHz by 148 multiprocessors; RTX 5090 of 209.5 TFLOP/s in bf16 with sums in float32 and 1,792 GB/s, at 2.41 GHz by 170 (NVIDIA RTX
Blackwell GPU Architecture, 2025). What of a B200's peak mma.sync reaches NVIDIA doesn't say, whose tcgen05 has the rest: taken is an
A100's rate per multiprocessor."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Card:
    name: str
    multiply_adds: int  # of bf16 per clock, twice those of TF32
    synchronous: float  # the part of it that mma.sync reaches
    float_lanes: int
    bytes_per_clock: float  # of HBM, of one multiprocessor

    def cycles(self, counts):
        """Clocks of a multiprocessor for the instructions of a warp, by what does them."""
        memory = 4 * (counts["LDSM"] + counts["LDGSTS"]) + counts["LDS, STS"]
        return {
            "tensor cores": counts["HMMA"] * 2048 / (self.multiply_adds * self.synchronous),
            "issue slots": counts["all"] / 4,
            "shared memory": memory,
            "float": counts["float"] * 32 / self.float_lanes,
            "integer": counts["ALU"] / 2,
            "MUFU": counts["MUFU"] * 2,
        }

    def peak_cycles(self, counts):
        return counts["HMMA"] * 2048 / self.multiply_adds


@dataclasses.dataclass(frozen=True)
class Architecture:
    shared: int  # bytes of a multiprocessor
    warps: int
    card: Card

    def blocks(self, registers, threads, shared, reserved=1024):
        """Blocks that a multiprocessor has at once."""
        warps = -(-threads // 32)
        by_registers = 65536 // (-(-registers // 8) * 8 * 32 * warps)
        return min(by_registers, self.warps // warps, self.shared // (shared + reserved), 32)


ARCHITECTURES = {
    "sm_80": Architecture(164 * 1024, 64, Card("A100", 1024, 1, 64, 2039 / 108 / 1.41)),
    "sm_90a": Architecture(228 * 1024, 64, Card("H100", 2048, 0.63, 128, 3352 / 132 / 1.83)),
    "sm_100": Architecture(228 * 1024, 64, Card("B200", 4096, 0.25, 128, 8000 / 148 / 1.86)),
    "sm_120": Architecture(100 * 1024, 48, Card("RTX 5090", 256, 1, 128, 1792 / 170 / 2.41)),
}
