# SPDX-License-Identifier: Apache-2.0
"""As much of Gymnasium as the worker uses, for tests where Gymnasium is not installed, and an environment that fails as told."""

import ctypes
import os
import signal
import sys
import time
import types

import numpy as np

from gymnasium import spaces

error = types.SimpleNamespace(Error=type("Error", (Exception,), {}))


class Faulty:
    """Counts its steps of an episode, of which the fourth does what `fault` says; of 7 steps the last ends it."""

    copies = 0

    def __init__(self, fault=None, mask=False, only=None):
        self.fault, self.mask = fault, mask
        self.only = only
        self.number = Faulty.copies
        if fault == "slow" and self.number > 0:
            time.sleep(1000)
        Faulty.copies += 1
        self.action_space = spaces.Discrete(3, start=5)
        size = 3 if fault == "copies" and self.number > 0 else 2
        self.observation_space = spaces.Box(-1e6, 1e6, (size,), np.float32)
        if fault == "text":
            self.observation_space = spaces.Dict({"name": spaces.Text()})

    def reset(self, seed=None):
        self.seed, self.time, self.sum = seed, 0, 0
        return self.observe(), self.info()

    def observe(self):
        return np.array([self.seed % 1000, self.time + 10 * self.sum], np.float32)

    def info(self):
        return {"action_mask": np.array([1, self.time % 2, 1], np.int8)} if self.mask else {}

    def step(self, action):
        self.time += 1
        self.sum += int(action) - 5
        observation, reward, info = self.observe(), float(self.time), self.info()
        if self.time == 4 and self.fault and self.only in (None, self.number):
            if self.fault == "raise":
                raise ValueError("it is broken")
            if self.fault == "recursion":
                return self.step_again(action)
            if self.fault == "exit":
                os._exit(7)
            if self.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "segv":
                ctypes.string_at(0)
            if self.fault == "hang":
                time.sleep(1000)
            if self.fault == "native":
                # Without releasing Python's lock, so that no other thread of Python runs.
                ctypes.PyDLL(None).sleep(1000)
            if self.fault == "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            if self.fault == "print":
                print("printed by the environment")
                sys.stdout.flush()
                os.system("echo printed by a child")
            if self.fault == "nan":
                observation[1] = np.nan
            if self.fault == "outside":
                observation[0] = 2e6
            if self.fault == "shape":
                observation = observation[:1]
            if self.fault == "type":
                observation = observation.astype(complex)
            if self.fault == "reward":
                reward = float("inf")
            if self.fault == "masklength":
                info = {"action_mask": np.ones(4, np.int8)}
            if self.fault == "maskempty":
                info = {"action_mask": np.zeros(3, np.int8)}
            if self.fault == "space":
                self.action_space = spaces.Discrete(4)
        return observation, reward, self.time == 7 and self.sum % 2 == 0, self.time == 7, info

    def step_again(self, action):
        return self.step_again(action)

    def close(self):
        if self.fault == "close":
            raise OSError("it does not close")


class Everything(Faulty):
    """Every kind of space."""

    def __init__(self):
        super().__init__()
        self.observation_space = spaces.Dict(
            {
                "choice": spaces.Discrete(3, start=-1),
                "many": spaces.MultiDiscrete([2, 3]),
                "bits": spaces.MultiBinary(2),
                "numbers": spaces.Tuple((spaces.Box(-1, 1, (2,), np.float64), spaces.Box(0, 9, (), np.int64))),
                "picture": spaces.Box(0, 255, (2, 3, 1), np.uint8),
            }
        )
        self.action_space = spaces.Dict({"arm": spaces.MultiDiscrete([2, 3]), "on": spaces.MultiBinary(1)})

    def reset(self, seed=None):
        self.time = 0
        return self.observe(0, 0), {}

    def observe(self, a, b):
        picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1) + 250 - self.time
        return {
            "choice": self.time % 3 - 1,
            "many": np.array([a, b]),
            "bits": np.array([1, 0], np.int8),
            "numbers": (np.array([0.25, -0.5]), np.int64(self.time)),
            "picture": picture,
        }

    def step(self, action):
        self.time += 1
        arm, on = action["arm"], action["on"]
        return self.observe(*arm), float(on[0]), self.time == 3, False, {}


def make(id, disable_env_checker=False, **arguments):
    if id == "Faulty-v0":
        return Faulty(**arguments)
    if id == "Everything-v0":
        return Everything(**arguments)
    raise error.Error(f"Environment `{id}` doesn't exist.")
