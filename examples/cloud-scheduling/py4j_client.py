# SPDX-License-Identifier: Apache-2.0
"""Decisions a second of a Python process that steps the simulator through py4j's server.

It speaks py4j's text protocol itself, so that the package is not needed; the package does more for each call, and is slower.
"""
import json
import random
import socket
import subprocess
import sys
import time

EPISODES, ROUNDS = 60, 6

server = subprocess.Popen(["java", "-cp", sys.argv[1], "cloud.Speed", "py4j"], stdout=subprocess.PIPE, text=True)
try:
    connection = socket.create_connection(("127.0.0.1", int(server.stdout.readline())))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = connection.makefile("r", encoding="utf-8")

    def call(method, argument):
        connection.sendall(f"c\nt\n{method}\n{argument}\ne\n".encode())
        answer = answers.readline()
        if not answer.startswith("!ys"):
            raise RuntimeError(answer)
        return json.loads(answer[3:].encode().decode("unicode_escape"))

    for _ in range(ROUNDS):
        start, steps = time.perf_counter(), 0
        for episode in range(EPISODES):
            state = call("reset", f"L{episode}")
            while not state["ended"]:
                allowed = [i for i, is_allowed in enumerate(state["mask"]) if is_allowed]
                state = call("step", f"i{random.choice(allowed)}")
                steps += 1
        print(f"{'py4j':20} {steps / (time.perf_counter() - start):8,.0f} decisions/s")
finally:
    server.kill()
