# SPDX-License-Identifier: Apache-2.0
"""Writes docs/kernels.md from the machine code of all kernels, or holds some of it to pins.txt; see ../report.sh."""

import argparse
import pathlib
import sys

import cards
import sass
import walks
from schedule import GemmSchedule, Schedule

HERE = pathlib.Path(__file__).resolve().parent
HEAD = """# Kernels, read as machine code

Made by `kernels/report.sh`, {release}; nothing here was timed. What a warp executes for one moving tile that all of its rows see:
the shortest way through the loop that has the tensor cores' products of the formula, with the turns of the loops within. *bound* is
what a multiprocessor is busy with longest, if it does nothing else, and *share* the part of the white paper's peak that tensor cores
reach then (of TF32 over three for float32; `mma.sync` has 63 % of it on Hopper). Whole heads are of 64 rows, or 16, and *HBM* is the
time of their walks over that of reading and writing their arrays once. *copy* is instructions per 16-byte copy, of the dearest loop.
*float* is FFMA, FADD and FMUL; *ALU* all else that is neither memory nor control.

Of matrix products it is a slice, 64 bytes deep, in whatever order A and B lie, the dearest. Series kernels and those of one query have
no tensor cores: a turn of the loop with most multiply-adds, and *share* the part of the peak of these.
"""
FIVE_PRODUCTS = """
## Why the backward has seven products

dQ is a sum over keys and dK, dV are sums over queries. Two walks compute S and dP twice: 3 + 4 products. One walk over queries for a
tile of keys has five, if each tile adds its part to dQ, in one order whatever runs first, for the same inputs give the same bits.

- *In memory.* A tile of 64 keys adds to 64 rows of dQ: of 128 columns 32 KiB read and 32 KiB written, in float32, for each pair of
  tiles, where two products of bf16 are saved, 2.1 million multiply-adds. An A100's multiprocessor takes 1,024 clocks for these at its
  peak, 2,048 at half of it, and 1,024 for the bytes at 64 a clock from the second-level cache; an H100's by `mma.sync` 813, and 1,024.
  So with atomics, which only write, a third is gained at best and nothing on Hopper; with an order that is fixed a tile waits for
  the one before it as well, and needs all blocks of a head to run at once.
- *In one cluster.* The blocks of a head keep dQ in each other's shared memory and pass a turn from tile to tile. Clusters exist from
  sm_90 on, of 8 blocks, so of heads up to 512 rows; a barrier of the cluster for each tile is its price. A kernel beside that for
  sm_80, and one to write when a card has said what the barrier takes.
- *In a block with a whole head.* Warps, of 16 keys each, take turns to add to dQ in shared memory: of 64 rows of 32 floats 16 KiB
  for each of four warps, 512 clocks in all; saved are S, dP and the exponentials of one walk, {saved} of {both} instructions for each
  pair of tiles in backward_whole_f32_d32_m32 on sm_80, which is bound by issue slots: a head's 8 pairs come to {clocks} clocks. That is the
  one place where five products are fewer clocks by this model, and it would have one warp work while three wait unless each
  begins its walk elsewhere; not done.
"""
COLUMNS = ("kernel", "registers", "spills", "KiB", "blocks", "warps", "over", "all", *walks.CLASSES, "per HMMA", "copy", "bound", "share",
           "HBM")
GEMM_COLUMNS = ("kernel", "registers", "spills", "KiB", "blocks", "warps", "factors", "all", *walks.CLASSES, "per HMMA", "bound", "share")
PLAIN_COLUMNS = ("kernel", "registers", "spills", "all", "FFMA", *list(walks.CLASSES)[3:], "per FFMA", "bound", "share")
# Arrays of [rows, dim] that a whole head reads and writes.
ARRAYS = {"forward_whole": 4, "backward_whole": 8, "tangent_whole": 12}


def cubins(listing):
    """The release of nvcc, and the paths of cubins by architecture, from what build.sh left."""
    lines = listing.read_text().splitlines()
    found = {}
    for line in lines[1:]:
        architecture, path = line.split(" ", 1)
        found.setdefault(architecture, []).append(pathlib.Path(path))
    return lines[0], found


def resources(kernel, schedule, architecture):
    """Shared memory, blocks and warps of a multiprocessor."""
    if isinstance(schedule, GemmSchedule):
        blocks = cards.ARCHITECTURES[architecture].blocks(kernel.registers, schedule.threads(), schedule.shared() + kernel.static_shared)
        return schedule.shared(), blocks, blocks * schedule.threads() // 32
    length = 16 if schedule.moving == 16 and not schedule.rows else 64
    reserved = 0 if kernel.static_shared >= 1024 and architecture != "sm_80" else 1024  # ptxas counts it from Hopper on
    shared, threads = schedule.shared(length) + kernel.static_shared, schedule.threads(length)
    blocks = cards.ARCHITECTURES[architecture].blocks(kernel.registers, threads, shared, reserved)
    return shared, blocks, blocks * threads // 32


def by_hbm(schedule, cycles, card):
    """Time of a head's walks, of which each has so many cycles per warp and tile, over that of its arrays."""
    length = 16 if schedule.moving == 16 else 64
    rows = schedule.head_rows(length)
    walked = sum(cycles) * rows // 16 * (rows // schedule.moving)
    return walked / (ARRAYS[schedule.kind] * length * schedule.dim * schedule.element / card.bytes_per_clock)


def rows_of(name, kernel, schedule, architecture):
    card = cards.ARCHITECTURES[architecture].card
    shared, blocks, warps = resources(kernel, schedule, architecture)
    start = [name.removeprefix("attention_"), kernel.registers, kernel.spills(), f"{shared / 1024:.0f}", blocks, warps]
    longest = []
    for over, counts in walks.of(kernel, schedule).items():
        classes = walks.by_class(counts) | {"all": counts.total()}
        row = [over, counts.total(), *(classes[c] for c in walks.CLASSES), f"{counts.total() / counts['HMMA']:.2f}",
               f"{walks.copy_loops(kernel):.0f}"]
        cycles = card.cycles(classes)
        bound = max(cycles, key=cycles.get)
        longest.append(cycles[bound])
        row += [bound, f"{100 * card.peak_cycles(classes) / cycles[bound]:.0f} %",
                f"{by_hbm(schedule, longest, card):.1f}" if len(longest) == len(schedule.walks()) and not schedule.rows else ""]
        yield start + row
        start = [""] * len(start)


def gemm_rows(name, kernel, schedule, architecture):
    card = cards.ARCHITECTURES[architecture].card
    shared, blocks, warps = resources(kernel, schedule, architecture)
    start = [name, kernel.registers, kernel.spills(), f"{shared / 1024:.0f}", blocks, warps]
    for kind, counts in walks.of(kernel, schedule).items():
        classes = walks.by_class(counts) | {"all": counts.total()}
        cycles = card.cycles(classes)
        bound = max(cycles, key=cycles.get)
        yield [*start, kind, counts.total(), *(classes[c] for c in walks.CLASSES), f"{counts.total() / counts['HMMA']:.2f}", bound,
               f"{100 * card.peak_cycles(classes) / cycles[bound]:.0f} %"]
        start = [""] * len(start)


def plain_rows(name, kernel, architecture):
    card, counts = cards.ARCHITECTURES[architecture].card, walks.hot_loop(kernel)
    if counts:
        classes = walks.by_class(counts) | {"all": counts.total()}
        cycles = card.cycles(classes)
        bound = max(cycles, key=cycles.get)
        yield [name.removeprefix("attention_"), kernel.registers, kernel.spills(), counts.total(), counts["FFMA"],
               *(classes[c] for c in list(walks.CLASSES)[3:]), f"{counts.total() / counts['FFMA']:.2f}", bound,
               f"{100 * counts['FFMA'] * 32 / card.float_lanes / cycles[bound]:.0f} %"]


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
                      *("| " + " | ".join(map(str, [*row, *[""] * (len(head) - len(row))])) + " |" for row in rows)])


def five_products(found, tool):
    """The section, with the counts of the kernel that it speaks of; empty where that was not compiled."""
    name = "attention_backward_whole_f32_d32_m32"
    for path in found.get("sm_80", []):
        if kernel := sass.read(path, tool, [name]).get(name):
            keys, queries = walks.of(kernel, Schedule.of(name)).values()
            saved = round(keys.total() * 2 / 3)
            return FIVE_PRODUCTS.format(saved=f"{saved:,}", both=f"{keys.total() + queries.total():,}", clocks=f"{8 * saved // 4:,}")
    return ""


def page(release, found, tool):
    parts, others = [HEAD.format(release=release)], {}
    for architecture, paths in found.items():
        rows, of_gemm, plain = [], [], []
        for path in paths:
            for name, kernel in sorted(sass.read(path, tool).items()):
                schedule = Schedule.of(name)
                if schedule:
                    rows += rows_of(name, kernel, schedule, architecture)
                elif GemmSchedule.of(name):
                    of_gemm += gemm_rows(name, kernel, GemmSchedule.of(name), architecture)
                elif name.startswith(("attention_series_", "attention_decode_")) and walks.hot_loop(kernel):
                    plain += plain_rows(name, kernel, architecture)
                else:
                    others.setdefault(name, {})[architecture] = f"{kernel.registers}{f', {kernel.spills()} spills' if kernel.spills() else ''}"
        card = cards.ARCHITECTURES[architecture].card
        for title, columns, of_title in (("Attention on tensor cores", COLUMNS, rows), ("Matrix products", GEMM_COLUMNS, of_gemm),
                                         ("Attention without tensor cores", PLAIN_COLUMNS, plain)):
            parts.append(f"\n## {title}, {architecture} ({card.name})\n\n{table(columns, of_title)}\n")
    parts.append(five_products(found, tool))
    rows = [[name, *(registers.get(a, "") for a in found)] for name, registers in sorted(others.items())]
    parts.append(f"\n## Registers of the others\n\n{table(['kernel', *found], rows)}\n")
    return "".join(parts)


def worse(release, found, tool):
    """What of pins.txt no longer holds."""
    pins = [line.split() for line in (HERE / "pins.txt").read_text().splitlines() if line and not line.startswith("#")]
    if release != " ".join(pins[0]):
        skip(f"pins.txt is of {' '.join(pins[0])}, and these kernels of {release}")
        return
    for architecture, paths in found.items():
        pinned = {pin[1]: pin[2:] for pin in pins[1:] if pin[0] == architecture}
        kernels = {}
        for path in paths if pinned else []:
            kernels |= sass.read(path, tool, pinned)
        for name, (instructions, copy, spills, least_warps) in pinned.items():
            if name not in kernels:
                yield f"{name} on {architecture} is pinned, and there is none"
                continue
            schedule = Schedule.of(name) or GemmSchedule.of(name)
            most = max(c.total() / c["HMMA"] for c in walks.of(kernels[name], schedule).values())
            per_copy = walks.copy_loops(kernels[name])
            _, _, warps = resources(kernels[name], schedule, architecture)
            spilled = kernels[name].spills()
            if (most > float(instructions) + 0.005 or per_copy > int(copy) + 0.5 or spilled > int(spills) or warps < int(least_warps)):
                yield (f"{name} on {architecture}: {most:.2f} instructions per HMMA, {per_copy:.0f} per copy, {spilled} spills, {warps} warps;"
                       f" pinned {instructions}, {copy}, {spills}, {least_warps}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="whether pins.txt holds")
    parser.add_argument("--cubins", type=pathlib.Path, default=HERE.parents[1] / "target/kernels/cubins.txt")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parents[1] / "docs/kernels.md")
    options = parser.parse_args()
    tool = sass.disassembler()
    if tool is None:
        return skip("there is neither cuobjdump (CUDA) nor the Python package triton, which has one")
    if not options.cubins.exists():
        return skip(f"there is no {options.cubins}, which mvn -B package -DskipTests makes where there is nvcc")
    release, found = cubins(options.cubins)
    if missing := [path for paths in found.values() for path in paths if not path.exists()]:
        return skip(f"{missing[0]} is gone: compile the kernels again")
    if options.check:
        found_worse = list(worse(release, found, tool))
        print("\n".join(found_worse))
        return bool(found_worse)
    options.output.write_text(page(release, found, tool))
    return 0


def skip(reason):
    print(f"skipped: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
