"""Writes trajectories of Gymnasium's CartPole-v1 and Pendulum-v1, the oracle of GymnasiumTest.

    pip install gymnasium==1.3.0
    python src/test/python/gymnasium_trajectories.py src/test/resources/org/fovea/env

One line a step: "start" and the float64 state, or "step", the action, the float32 observation, the reward, terminated,
truncated.
"""

import pathlib
import random
import sys

import gymnasium
import numpy


def write(path, name, seed_to_policy):
    environment = gymnasium.make(name)
    lines = [f"# {name} of gymnasium {gymnasium.__version__}"]
    for seed, policy in seed_to_policy.items():
        environment.reset(seed=seed)
        state = [float(x) for x in environment.unwrapped.state]
        lines.append("start " + " ".join(repr(x) for x in state))
        over = False
        while not over:
            action = policy(environment.unwrapped.state)
            argument = action if isinstance(action, int) else numpy.array([action], dtype=numpy.float32)
            observation, reward, terminated, truncated, _ = environment.step(argument)
            over = terminated or truncated
            numbers = " ".join(repr(float(x)) for x in observation)
            lines.append(f"step {action} {numbers} {float(reward)!r} {terminated} {truncated}".lower())
    path.write_text("\n".join(lines) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1])
    chance = random.Random(1)
    push_at_random = lambda state: chance.randrange(2)
    balance = lambda state: int(state[2] + 0.3 * state[3] + 0.01 * state[0] + 0.02 * state[1] > 0)
    write(
        folder / "cartpole.txt",
        "CartPole-v1",
        {1: push_at_random, 2: push_at_random, 3: lambda state: 0, 4: balance},
    )
    # Multiples of 1/64 are exact in float32, in which Gymnasium computes with the action.
    torque_at_random = lambda state: chance.randrange(-160, 161) / 64
    spin = lambda state: 2.0 if state[1] >= 0 else -2.0
    write(folder / "pendulum.txt", "Pendulum-v1", {1: torque_at_random, 2: spin})


main()
