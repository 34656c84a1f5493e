# SPDX-License-Identifier: Apache-2.0
"""Plays Fovea's CartPole-v1 by python/fovea/gymnasium.py beside Gymnasium's own from the same states. Arguments: the command of fovea."""

import pathlib
import sys

import gymnasium
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "python"))
from fovea.gymnasium import FoveaVectorEnv  # noqa: E402

COUNT = 4
command = sys.argv[1:]

envs = FoveaVectorEnv("CartPole-v1", COUNT, command)
own = [gymnasium.make("CartPole-v1").unwrapped for _ in range(COUNT)]
assert envs.single_observation_space.shape == own[0].observation_space.shape
assert envs.single_action_space == own[0].action_space
assert isinstance(envs, gymnasium.vector.VectorEnv)
assert envs.metadata["autoreset_mode"] == gymnasium.vector.AutoresetMode.SAME_STEP
observations, _ = envs.reset(seed=1)
for i, environment in enumerate(own):
    environment.reset()
    environment.state = observations[i].astype(float)
random = np.random.default_rng(1)
ends = 0
for _ in range(200):
    actions = random.integers(0, 2, COUNT)
    before = observations
    observations, rewards, terminated, truncated, infos = envs.step(actions)
    assert envs.observation_space.contains(observations)
    for i, environment in enumerate(own):
        # From the float32 that was seen, else rounding would add up.
        environment.state = before[i].astype(float)
        expected, reward, over, _, _ = environment.step(int(actions[i]))
        last = infos["final_obs"][i] if terminated[i] else observations[i]
        assert np.allclose(last, expected, rtol=1e-5, atol=1e-6), (last, expected)
        assert rewards[i] == reward and terminated[i] == over and not truncated[i]
        if over:
            assert infos["_final_obs"][i]
            environment.reset()
            ends += 1
assert ends > 5, ends
again, _ = envs.reset(seed=1)
other, _ = envs.reset(seed=2)
first, _ = envs.reset(seed=1)
assert np.array_equal(again, first) and not np.array_equal(again, other)
envs.close()
assert envs.process.poll() == 0

for name in ("Dispatch-v0", "Pendulum-v1", "ProofOfMemory-v0"):
    envs = FoveaVectorEnv(name, 2, command)
    envs.action_space.seed(1)
    observations, infos = envs.reset(seed=1)
    for _ in range(30):
        assert envs.observation_space.contains(observations), (name, observations)
        actions = envs.action_space.sample()
        if "action_mask" in infos:
            # The first choice that is allowed, in each of two parts.
            first = envs.single_action_space.nvec[0]
            mask = infos["action_mask"]
            actions = np.stack([mask[:, :first].argmax(1), mask[:, first:].argmax(1)], axis=1)
        observations, rewards, _, _, infos = envs.step(actions)
    assert ("action_mask" in infos) == (name == "Dispatch-v0")
    envs.close()
print("passed")
