"""The command `fovea attention`, from Python."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Fovea:
    """One virtual machine that runs many commands."""

    def __init__(self, folder, backend_arguments=("--backend", "cpu")):
        self.backend_arguments = backend_arguments
        classes = folder / "classes"
        jars = f"{ROOT}/target/fovea.jar:{ROOT}/target/lib/*"
        # The launcher builds what is out of date.
        subprocess.run([ROOT / "fovea", "version"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["javac", "-d", classes, "-cp", jars, ROOT / "native-tests/command/Commands.java"], check=True)
        command = [ROOT / "fovea", "--main", "org.fovea.cli.Commands"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | {"FOVEA_CLASSPATH": str(classes)})

    def attention(self, source, target, arguments):
        """Runs one command: its exit code, and what it complained about."""
        line = ["attention", str(source), "-o", str(target), *arguments, *self.backend_arguments]
        self.process.stdin.write("\t".join(line) + "\n")
        self.process.stdin.flush()
        code, _, complaint = self.process.stdout.readline().rstrip("\n").partition("\t")
        return int(code), complaint

    def close(self):
        self.process.stdin.close()
        self.process.wait()
