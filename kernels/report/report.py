# SPDX-License-Identifier: Apache-2.0
"""Writes docs/kernels.md from the machine code of all kernels, or holds some of it to pins.txt; see ../report.sh."""

import argparse
import pathlib
import sys

import cards
import sass
import walks
from schedule import Schedule

HERE = pathlib.Path(__file__).resolve().parent
HEAD = """# Kernels, read as machine code

Made by `kernels/report.sh`, {release}; nothing here was timed. What a warp executes for one moving tile that all of its rows see:
the shortest way through the loop that has the tensor cores' products of the formula, with the turns of the loops within. *bound* is
what a multiprocessor is busy with longest, if it does nothing else, and *share* the part of the white paper's peak that tensor cores
reach then (of TF32 over three for float32; `mma.sync` has 63 % of it on Hopper). Whole heads are of 64 rows, or 16, and *HBM* is the
time of their walks over that of reading and writing their arrays once. *copy* is instructions per 16-byte copy, of the dearest loop.
*float* is FFMA, FADD and FMUL; *ALU* all else that is neither memory nor control.
"""
COLUMNS = ("kernel", "registers", "spills", "KiB", "blocks", "warps", "over", "all", *walks.CLASSES, "per HMMA", "copy", "bound", "share",
           "HBM")
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
        if card:
            cycles = card.cycles(classes)
            bound = max(cycles, key=cycles.get)
            longest.append(cycles[bound])
            row += [bound, f"{100 * card.peak_cycles(classes) / cycles[bound]:.0f} %",
                    f"{by_hbm(schedule, longest, card):.1f}" if len(longest) == len(schedule.walks()) and not schedule.rows else ""]
        yield start + row
        start = [""] * len(start)


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
                      *("| " + " | ".join(map(str, [*row, *[""] * (len(head) - len(row))])) + " |" for row in rows)])


def page(release, found, tool):
    parts, others = [HEAD.format(release=release)], {}
    for architecture, paths in found.items():
        rows = []
        for path in paths:
            for name, kernel in sorted(sass.read(path, tool).items()):
                schedule = Schedule.of(name)
                if schedule:
                    rows += rows_of(name, kernel, schedule, architecture)
                else:
                    others.setdefault(name, {})[architecture] = f"{kernel.registers}{f', {kernel.spills()} spills' if kernel.spills() else ''}"
        card = cards.ARCHITECTURES[architecture].card
        parts.append(f"\n## Attention on tensor cores, {architecture}{f' ({card.name})' if card else ''}\n\n{table(COLUMNS, rows)}\n")
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
        for name, (instructions, spills, least_warps) in pinned.items():
            if name not in kernels:
                yield f"{name} on {architecture} is pinned, and there is none"
                continue
            schedule = Schedule.of(name)
            most = max(c.total() / c["HMMA"] for c in walks.of(kernels[name], schedule).values())
            _, _, warps = resources(kernels[name], schedule, architecture)
            if most > float(instructions) + 0.005 or kernels[name].spills() > int(spills) or warps < int(least_warps):
                yield (f"{name} on {architecture}: {most:.2f} instructions per HMMA, {kernels[name].spills()} spills, {warps} warps;"
                       f" pinned {instructions}, {spills}, {least_warps}")


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
