# SPDX-License-Identifier: Apache-2.0
"""The command `fovea attention`, from Python."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Fovea:
    """One virtual machine that answers many requests."""

    def __init__(self, backend_arguments=("--backend", "cpu")):
        # The launcher builds what is out of date.
        command = [ROOT / "fovea", "attention", "--serve", *backend_arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def attention(self, source, target, arguments=()):
        """Answers one request: its exit code, and what there was to complain about, or ok."""
        self.process.stdin.write("\t".join([str(source), str(target), *arguments]) + "\n")
        self.process.stdin.flush()
        code, _, complaint = self.process.stdout.readline().rstrip("\n").partition("\t")
        return int(code), complaint

    def close(self):
        self.process.stdin.close()
        self.process.wait()
