# SPDX-License-Identifier: Apache-2.0
"""Environments of Fovea as a vector environment of Gymnasium, played by a process of Java.

    PYTHONPATH=FOVEA/python python3
    >>> from fovea.gymnasium import FoveaVectorEnv
    >>> envs = FoveaVectorEnv("CartPole-v1", num_envs=8)
    >>> observations, infos = envs.reset(seed=1)

An environment whose episode ends is reset in the same step (AutoresetMode.SAME_STEP): infos["final_obs"] has its last observation. Where
choices can be forbidden, infos["action_mask"] says which are allowed.
"""

import json
import os
import pathlib
import subprocess

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, iterate

OK, FAILED, ENDED = 0, 1, 2
RESET, STEP = 0, 1


def space_of(description):
    kind = description["type"]
    if kind == "Discrete":
        return spaces.Discrete(description["n"], start=description["start"])
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(description["n"])
    if kind == "MultiBinary":
        return spaces.MultiBinary(description["n"])
    if kind == "Image":
        return spaces.Box(0, 255, tuple(description["shape"]), np.uint8)
    if kind == "Box":
        shape = tuple(description["shape"])
        low, high = (np.array(description[key], np.float32).reshape(shape) for key in ("low", "high"))
        return spaces.Box(low, high, shape, np.float32)
    parts = [space_of(part) for part in description["parts"]]
    return spaces.Tuple(parts) if kind == "Tuple" else spaces.Dict(list(zip(description["names"], parts)))


def leaves(space):
    """Parts that have no parts, in order."""
    if isinstance(space, (spaces.Dict, spaces.Tuple)):
        for part in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
            yield from leaves(part)
    else:
        yield space


def rebuild(space, parts):
    """The batched value of a space, of the values of its leaves."""
    if isinstance(space, spaces.Dict):
        return {key: rebuild(part, parts) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(rebuild(part, parts) for part in space.spaces)
    return next(parts)


def flatten(space, value, rows):
    """Columns of a batch of actions, with choices from 0."""
    if isinstance(space, spaces.Dict):
        return [c for key, part in space.spaces.items() for c in flatten(part, value[key], rows)]
    if isinstance(space, spaces.Tuple):
        return [c for part, of_part in zip(space.spaces, value) for c in flatten(part, of_part, rows)]
    array = np.asarray(value).reshape(rows, -1)
    return [array - int(space.start) if isinstance(space, spaces.Discrete) else array]


class FoveaVectorEnv(VectorEnv):
    """num_envs environments of a name that `fovea envs` lists; command is the launcher, usually found beside this directory."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, name, num_envs=1, command=None):
        launcher = command or os.environ.get("FOVEA") or pathlib.Path(__file__).resolve().parents[2] / "fovea"
        command = [launcher] if isinstance(launcher, (str, os.PathLike)) else list(launcher)
        self.process = subprocess.Popen(
            [*map(str, command), "serve-env", name, "--envs", str(num_envs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.num_envs = num_envs
        described = json.loads(self._receive()[8:])
        self.single_observation_space = space_of(described["observation"])
        self.single_action_space = space_of(described["action"])
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.chooses = not isinstance(next(leaves(self.single_action_space)), spaces.Box)
        self.mask_size = described["mask_size"]
        kinds = [(leaf, "words" if self._is_word(leaf) else "bytes", int(np.prod(leaf.shape))) for leaf in leaves(self.single_observation_space)]
        self.kinds = kinds
        self.words = sum(size for _, kind, size in kinds if kind == "words")
        self.bytes = sum(size for _, kind, size in kinds if kind == "bytes")

    @staticmethod
    def _is_word(leaf):
        return isinstance(leaf, (spaces.Discrete, spaces.MultiDiscrete)) or leaf.dtype == np.float32

    def _receive(self):
        header = self.process.stdout.read(4)
        data = header + self.process.stdout.read(int.from_bytes(header, "little"))
        if len(data) < 8:
            raise RuntimeError(f"the process of Fovea has ended with exit code {self.process.wait()}")
        if int.from_bytes(data[4:8], "little") == FAILED:
            raise RuntimeError(json.loads(data[8:])["message"])
        return data

    def _ask(self, code, content):
        try:
            self.process.stdin.write((4 + len(content)).to_bytes(4, "little") + code.to_bytes(4, "little") + content)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receiving says what has become of it
        return self._receive()

    def _observations(self, data, words_at, bytes_at):
        parts = []
        for leaf, kind, size in self.kinds:
            count = self.num_envs * size
            if kind == "words":
                array = np.frombuffer(data, np.float32 if leaf.dtype == np.float32 else np.int32, count, words_at)
                words_at += 4 * count
            else:
                array = np.frombuffer(data, np.uint8, count, bytes_at)
                bytes_at += count
            array = array.reshape(self.num_envs, *leaf.shape).astype(leaf.dtype)
            parts.append(array + leaf.start if isinstance(leaf, spaces.Discrete) else array)
        return rebuild(self.single_observation_space, iter(parts))

    def _decode(self, data):
        n = self.num_envs
        words_at = 8 + 4 * n
        flags_at = words_at + 4 * n * self.words
        ended = int.from_bytes(data[4:8], "little") == ENDED
        short = len(data) - (4 * n * self.words + (n * self.bytes + 3) // 4 * 4 if ended else 0)
        infos = {}
        bytes_at = flags_at + n
        if self.mask_size:
            infos["action_mask"] = np.frombuffer(data, np.int8, n * self.mask_size, bytes_at).reshape(n, -1).copy()
            bytes_at += n * self.mask_size
        flags = np.frombuffer(data, np.uint8, n, flags_at)
        if ended:
            finals = list(iterate(self.observation_space, self._observations(data, short, short + 4 * n * self.words)))
            infos["_final_obs"] = flags != 0
            infos["final_obs"] = np.array([None] * n, dtype=object)
            for i in np.flatnonzero(flags):
                infos["final_obs"][i] = finals[i]
        rewards = np.frombuffer(data, np.float32, n, 8).astype(np.float64)
        return self._observations(data, words_at, bytes_at), rewards, flags == 1, flags == 2, infos

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if isinstance(seed, (list, tuple)):
            raise ValueError("seed is one number for all environments, each of which draws its own from it")
        seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
        observations, _, _, _, infos = self._decode(self._ask(RESET, seed.to_bytes(8, "little", signed=True)))
        return observations, infos

    def step(self, actions):
        columns = np.concatenate(flatten(self.single_action_space, actions, self.num_envs), axis=1)
        return self._decode(self._ask(STEP, columns.astype(np.int32 if self.chooses else np.float32).tobytes()))

    def close_extras(self, **kwargs):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
