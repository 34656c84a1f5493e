# SPDX-License-Identifier: Apache-2.0
"""Machine code of kernels: instructions, loops, and the ways through a loop."""

import collections
import dataclasses
import functools
import importlib.util
import pathlib
import re
import shutil
import subprocess

INSTRUCTION = re.compile(r"^\s+/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+\s+)?([A-Z][A-Z0-9_.a-z]*)\s*([^;]*);")
RESOURCES = re.compile(r"Function (\w+):\s+REG:(\d+) STACK:(\d+) SHARED:(\d+)")


@dataclasses.dataclass(frozen=True)
class Instruction:
    address: int
    conditional: bool  # it has a predicate, or depends on how lanes part
    opcode: str
    target: int | None  # of a branch

    @property
    def name(self):
        return self.opcode.split(".")[0]


@dataclasses.dataclass(frozen=True)
class Loop:
    """The code from `first` to the branch at `last` that leads back there."""

    first: int
    last: int

    def holds(self, other):
        return self != other and self.first <= other.first and other.last <= self.last


@dataclasses.dataclass(frozen=True)
class Kernel:
    registers: int
    stack: int
    static_shared: int
    code: tuple

    def spills(self):
        return sum(i.name in ("LDL", "STL") for i in self.code)

    @functools.cached_property
    def loops(self):
        """Loops, the shortest first."""
        back = {(i.target, i.address) for i in self.code if i.name == "BRA" and i.target is not None and i.target < i.address}
        by_head = collections.defaultdict(int)
        for head, last in back:
            by_head[head] = max(by_head[head], last)
        return sorted((Loop(h, l) for h, l in by_head.items()), key=lambda loop: loop.last - loop.first)


def disassembler():
    """CUDA's cuobjdump, or that of the Python wheel triton; None if there is neither."""
    found = shutil.which("cuobjdump")
    if found is None and (nvcc := shutil.which("nvcc")):
        beside = pathlib.Path(nvcc).resolve().parent / "cuobjdump"
        found = beside if beside.exists() else None
    if found is None and (spec := importlib.util.find_spec("triton")):
        within = pathlib.Path(spec.origin).parent / "backends/nvidia/bin/cuobjdump"
        found = within if within.exists() else None
    return found


def read(cubin, tool, wanted=()):
    """The kernels of a cubin by name, or those that are wanted."""
    text = cubin.read_bytes() if wanted else b""
    here = [name for name in wanted if name.encode() + b"\0" in text]
    if wanted and not here:
        return {}
    resources = {m[1]: tuple(map(int, m.groups()[1:])) for m in RESOURCES.finditer(run(tool, "-res-usage", cubin).replace("\n", " "))}
    codes, name = collections.defaultdict(list), None
    for line in run(tool, "-sass", *(["-fun", ",".join(here)] if here else []), cubin).splitlines():
        if "Function :" in line:
            name = line.split(":")[1].strip()
        elif name and (m := INSTRUCTION.match(line)):
            target = re.search(r"\b0x([0-9a-f]+)", m[4]) if m[3].startswith("BRA") else None
            codes[name].append(Instruction(int(m[1], 16), bool(m[2]) or ".DIV" in m[3], m[3], int(target[1], 16) if target else None))
    return {name: Kernel(*resources[name], tuple(code)) for name, code in codes.items()}


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout


def ways(kernel, loop, names, inner):
    """What one turn of a loop executes, by name of the instruction: for all numbers of instructions of these names that there can be
    on the way together, the shortest way. inner(loop) says what all turns of a loop within execute."""
    within = [other for other in kernel.loops if loop.holds(other)]
    heads = {other.first: other for other in within if not any(outer.holds(other) for outer in within)}
    code = [i for i in kernel.code if loop.first <= i.address <= loop.last]
    entries = {loop.first, *heads} | {i.target for i in code if i.name == "BRA"}
    open_ways = collections.defaultdict(dict, {loop.first: {(0,) * len(names): collections.Counter()}})  # to an address
    complete = {}

    def lead(known, ways_there, counts):
        for way in ways_there.values():
            way = way + counts
            numbers = tuple(way[name] for name in names)
            if numbers not in known or known[numbers].total() > way.total():
                known[numbers] = way

    there, passed, within_until = {}, collections.Counter(), -1  # ways to the last entry, and what came after it
    for instruction in code:
        at = instruction.address
        if at <= within_until:
            continue
        if at in entries:
            lead(open_ways[at], there, passed)
            there, passed = open_ways.pop(at), collections.Counter()
        if at in heads:
            within_until = heads[at].last
            if there:
                passed += inner(heads[at])
            continue
        passed[instruction.name] += 1
        if at == loop.last:
            lead(complete, there, passed)
        elif instruction.name == "BRA":
            if at < instruction.target <= loop.last:
                lead(open_ways[instruction.target], there, passed)
            if not instruction.conditional:
                there = {}
        elif instruction.name == "EXIT" and not instruction.conditional:
            there = {}
    return complete
