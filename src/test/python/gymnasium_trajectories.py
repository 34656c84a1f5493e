# SPDX-License-Identifier: Apache-2.0
"""Writes trajectories of Gymnasium's CartPole-v1, Pendulum-v1, Acrobot-v1 and both MountainCars, the oracle of GymnasiumTest.

    pip install gymnasium==1.3.0
    python src/test/python/gymnasium_trajectories.py src/test/resources/org/fovea/env/games

One line a step: "start" and the float64 state that the next step starts from, or "step", the action, the float32 observation, the reward, terminated,
truncated.
"""

import pathlib
import random
import sys

import gymnasium
import numpy


def write(path, name, seed_to_policy, restate=None, first_state={}, most=1000):
    """restate: every how many steps the state is written anew, where rounding would grow beyond any tolerance."""
    environment = gymnasium.make(name)
    lines = [f"# {name} of gymnasium {gymnasium.__version__}"]
    for seed, policy in seed_to_policy.items():
        environment.reset(seed=seed)
        if seed in first_state:
            environment.unwrapped.state = numpy.array(first_state[seed])
        state = [float(x) for x in environment.unwrapped.state]
        lines.append("start " + " ".join(repr(x) for x in state))
        over = False
        steps = 0
        while not over and steps < most:
            if restate and steps % restate == 0 and steps > 0:
                lines.append("start " + " ".join(repr(float(x)) for x in environment.unwrapped.state))
            steps += 1
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
    pump = lambda state: 2 if state[3] > 0 else 0
    write(
        folder / "acrobot.txt",
        "Acrobot-v1",
        {1: pump, 2: pump, 3: lambda state: chance.randrange(3)},
        restate=20,
        # The second starts faster than any limit.
        first_state={2: [0.5, -3.0, 12.5, 28.2]},
    )
    rock = lambda state: 2 if state[1] >= 0 else 0
    write(
        folder / "mountain_car.txt",
        "MountainCar-v0",
        {1: rock, 2: lambda state: 0, 3: lambda state: chance.randrange(3)},
        # The second starts at the left wall.
        first_state={2: [-1.19, -0.06]},
    )
    # Gymnasium rounds this state to float32 in every step.
    write(
        folder / "mountain_car_continuous.txt",
        "MountainCarContinuous-v0",
        {1: lambda state: 1.0 if state[1] >= 0 else -1.0, 2: lambda state: -1.0, 3: lambda state: chance.randrange(-64, 65) / 64},
        restate=5,
        most=150,
        first_state={2: [-1.19, -0.06]},
    )


main()
