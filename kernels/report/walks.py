# SPDX-License-Identifier: Apache-2.0
"""What a warp executes per tile of an attention kernel, or slice of a matrix product, read from its machine code."""

import collections

import sass
from schedule import GemmSchedule

CLASSES = {
    "HMMA": ("HMMA",),
    "LDSM": ("LDSM",),
    "LDGSTS": ("LDGSTS",),
    "LDS, STS": ("LDS", "STS"),
    "float": ("FFMA", "FADD", "FMUL"),
    "MUFU": ("MUFU",),
    "ALU": ("IADD3", "LOP3", "IMAD", "SHF", "LEA", "ISETP", "SEL", "PRMT", "MOV", "FSETP", "FSEL", "FMNMX", "FMNMX3", "F2FP", "IMNMX",
            "VIMNMX", "PLOP3", "IABS", "VIADD", "VOTE", "CS2R"),
}


def turns_within(kernel, schedule):
    """For sass.ways(): all turns of a loop within a walk, of those that the plain case enters: the products of rows by rows go over
    the head's columns, 16 or, unrolled, 32 at a time, copies over a moving tile, and a loop around them over rows and tangents."""
    known = {}

    def turns(loop):
        if loop not in known:
            known[loop] = collections.Counter()
            ways = sass.ways(kernel, loop, ("HMMA", "LDGSTS"), turns)
            products, copies = max(ways, default=(0, 0))
            if products:
                known[loop] = times(ways[products, copies], schedule.dim // 16 // max(1, products // schedule.step()))
            elif copies:
                if any(loop.holds(other) and known.get(other, {}).get("LDGSTS") for other in kernel.loops):
                    enough = [c for _, c in ways if c >= schedule.copies()]
                    known[loop] = times(ways[0, min(enough, default=copies)], 2)
                else:
                    known[loop] = times(ways[0, copies], -(-schedule.copies() // copies))
            elif ways:
                known[loop] = ways[0, 0]
        return known[loop]

    return turns


def times(counts, factor):
    return collections.Counter({name: factor * count for name, count in counts.items()})


def of(kernel, schedule):
    """By what it walks over, a Counter of the instructions of a warp for one moving tile that all of its rows see, or one slice."""
    if isinstance(schedule, GemmSchedule):
        return of_slices(kernel, schedule)
    turns = turns_within(kernel, schedule)
    found = {}
    for over, products in schedule.walks().items():
        for loop in kernel.loops:
            ways = sass.ways(kernel, loop, ("HMMA", "LDGSTS", "MUFU"), turns)
            # Without exponentials it is the way that takes sums again, which may have as many products.
            fit = [way for way in ways if way[0] == products and way[2] > 0]
            if fit:
                enough = [way for way in fit if way[1] >= schedule.tiles() * schedule.copies()]
                found[over] = ways[min(enough, default=max(fit))]
                break
    return found


def of_slices(kernel, schedule):
    """The same of a matrix product: of its loops, one for each order of A and B, the dearest."""
    found = {}
    for kind, products in schedule.walks().items():
        for loop in kernel.loops:
            ways = sass.ways(kernel, loop, ("HMMA", "LDGSTS"), lambda inner: collections.Counter())
            fit = [copies for hmma, copies in ways if hmma == products and copies >= schedule.copies()]
            if fit and (kind not in found or ways[products, min(fit)].total() > found[kind].total()):
                found[kind] = ways[products, min(fit)]
    return found


def hot_loop(kernel):
    """Of a kernel without tensor cores, one turn of the loop that has most multiply-adds; empty if none has some."""
    dearest = collections.Counter()
    for loop in kernel.loops:
        if not any(loop.holds(other) for other in kernel.loops):
            ways = sass.ways(kernel, loop, ("FFMA",), lambda inner: collections.Counter())
            most = ways[max(ways)] if ways else dearest
            if most["FFMA"] > dearest["FFMA"]:
                dearest = most
    return dearest


def by_class(counts):
    return {name: sum(counts[member] for member in members) for name, members in CLASSES.items()}


def copy_loops(kernel):
    """The fewest instructions per 16-byte copy of the loop whose copies cost most."""
    dearest = 0
    for loop in kernel.loops:
        if not any(loop.holds(other) for other in kernel.loops):
            ways = sass.ways(kernel, loop, ("LDGSTS",), lambda inner: collections.Counter())
            (copies,) = max(ways, default=(0,))
            dearest = max(dearest, ways[copies,].total() / copies if copies else 0)
    return dearest
