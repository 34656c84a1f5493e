# SPDX-License-Identifier: Apache-2.0
"""Plays copies of a Gymnasium environment for Fovea, which starts this file (PythonWorker.java) and asks by frames.

A frame is an int32 length, an int32 code and what belongs to it, all little endian. Standard input has the requests; the answers
go to what was standard output, while whatever the environment prints goes to standard error.
"""

import ast
import faulthandler
import json
import mmap
import os
import signal
import sys
import threading
import time
import traceback

REQUESTS = os.dup(0)
ANSWERS = os.dup(1)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)
faulthandler.enable()
# Signals of the terminal are meant for Fovea, at whose end the requests end. Handlers, since an ignored signal stays ignored in children.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: None)

OK, FAILED, ENDED = 0, 1, 2
MAKE, START, RESET, STEP, RESTART, QUIT = range(6)
THIS_FILE = "<fovea worker>"
IDLE = -1

# Which environment is busy, and how many requests there have been: shared with Java from START on.
progress = memoryview(bytearray(16)).cast("q")


class Gone(BaseException):
    """Fovea has ended."""


class Invalid(Exception):
    """Something of the environment is not as it must be; the message says what."""


class Unusable(Exception):
    """What was asked for cannot be played; the message says why."""


def receive():
    """A whole frame: there is never more than one under way."""
    frame = os.read(REQUESTS, 1 << 16)
    while len(frame) < 8 or len(frame) < 4 + int.from_bytes(frame[:4], "little"):
        more = os.read(REQUESTS, 1 << 20)
        if not more:
            raise Gone
        frame += more
    return frame


def send(data):
    view = memoryview(data)
    try:
        while len(view):
            view = view[os.write(ANSWERS, view) :]
    except BrokenPipeError:
        raise Gone from None


def send_json(code, value):
    text = json.dumps(value).encode()
    send((4 + len(text)).to_bytes(4, "little") + code.to_bytes(4, "little") + text)


def users_frames(stack):
    """Without this file's, and without those of Gymnasium that lead to the user's."""
    frames = [f for f in stack if f.filename not in (THIS_FILE, "<string>") and not f.filename.startswith("<frozen importlib")]
    users = [i for i, f in enumerate(frames) if f"{os.sep}gymnasium{os.sep}" not in f.filename]
    return traceback.StackSummary.from_list(frames[users[0] :] if users else frames)


def describe(error):
    """The last lines of Python's own report, and its traceback."""
    report = traceback.TracebackException(type(error), error, error.__traceback__)
    seen = [report]
    for one in seen:
        one.stack = users_frames(one.stack)
        seen += [other for other in (one.__cause__, one.__context__) if other is not None and other not in seen]
    text = "".join(report.format())
    if len(text) > 8000:
        text = text[:4000] + "\n  ...\n" + text[-4000:]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, text


def watch(timeout, parent):
    """Ends this process when Fovea is gone, and says where the environment is if it does not come back."""
    last, since = None, time.monotonic()
    while True:
        time.sleep(0.2)
        if os.getppid() != parent:
            os._exit(0)
        now = (progress[0], progress[1])
        if now != last or now[0] == IDLE:
            last, since = now, time.monotonic()
        elif 0 < timeout < time.monotonic() - since:
            stack = traceback.extract_stack(sys._current_frames()[threading.main_thread().ident])
            text = "Stuck here (most recent call last):\n" + "".join(users_frames(stack).format())
            send_json(FAILED, {"kind": "timeout", "environment": now[0], "traceback": text})
            return


def end_with(parent):
    """Lets Linux end this process with Fovea, where native code keeps `watch` from running. Fovea's thread that starts workers never ends."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise Gone


def value(text):
    """Of --env-arg: a Python literal, true, false or null, or else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False, "null": None}.get(text.lower(), text)


def is_image(space):
    """Pictures are [channels, height, width] or [height, width, channels], with fewest channels, or [height, width]."""
    whole = space.dtype == np.uint8 and np.all(space.low == 0) and np.all(space.high == 255)
    return whole and len(space.shape) in (2, 3) and min(space.shape) > 0


def has_channels_last(shape):
    return len(shape) == 3 and shape[2] <= shape[0]


def is_masked(space):
    return isinstance(space, spaces.Dict) and "action_mask" in space.spaces and len(space.spaces) > 1


def describe_space(space, path, whose):
    at = f" at {path}" if path else ""
    if isinstance(space, spaces.Discrete):
        return {"type": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"type": "MultiDiscrete", "n": space.nvec.ravel().tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"type": "MultiBinary", "n": int(np.prod(space.shape))}
    if isinstance(space, spaces.Box):
        if whose == "observation" and is_image(space):
            shape = (1, *space.shape)[-3:]
            if has_channels_last(space.shape):
                shape = (shape[2], shape[0], shape[1])
            return {"type": "Image", "shape": shape}
        if space.dtype.kind not in "fiub":
            raise Unusable(f"the {whose} space{at} is {space}, of numbers of type {space.dtype}; floats and integers are supported")
        low, high = (bound.ravel().astype(float).tolist() for bound in (space.low, space.high))
        return {"type": "Box", "shape": space.shape, "low": low, "high": high}
    if isinstance(space, spaces.Dict):
        parts = {key: part for key, part in space.spaces.items() if not (path == "" and key == "action_mask" and is_masked(space))}
        dot = path + "." if path else ""
        return {
            "type": "Dict",
            "names": [str(key) for key in parts],
            "parts": [describe_space(part, f"{dot}{key}", whose) for key, part in parts.items()],
        }
    if isinstance(space, spaces.Tuple):
        return {"type": "Tuple", "parts": [describe_space(part, f"{path}[{i}]", whose) for i, part in enumerate(space.spaces)]}
    raise Unusable(
        f"the {whose} space{at} is {space}, and {type(space).__name__} is not supported; Discrete, MultiDiscrete, MultiBinary, Box, Dict"
        " and Tuple are. A wrapper can turn it into one of them (--env-wrapper module:Class)"
    )


def leaves(space, path=""):
    """Parts that have no parts, each with its path in words, and the keys that lead to it."""
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            if not (path == "" and key == "action_mask" and is_masked(space)):
                for name, keys, leaf in leaves(part, f"{path}.{key}"):
                    yield name, (key, *keys), leaf
    elif isinstance(space, spaces.Tuple):
        for i, part in enumerate(space.spaces):
            for name, keys, leaf in leaves(part, f"{path}[{i}]"):
                yield name, (i, *keys), leaf
    else:
        yield path, (), space


def number_of_choices(space):
    """Of an action: the elements of its mask."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum())
    return 2 * int(np.prod(space.shape)) if isinstance(space, spaces.MultiBinary) else 0


def wire(space):
    """Type and number of the values by which an observation from a leaf is sent; as ObservationLayout.java has it."""
    if isinstance(space, spaces.Discrete):
        return "int32", 1
    size = int(np.prod(space.shape))
    if isinstance(space, spaces.MultiDiscrete):
        return "int32", size
    if isinstance(space, spaces.MultiBinary):
        return "uint8", size
    return ("image", size) if is_image(space) else ("float32", size)


def writer(name, space, rows):
    """Writes an observation from a leaf into row i."""
    what = f"observation{name}"
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        cells = memoryview(rows).cast("B").cast("i")

        def write_choice(i, value):
            try:
                cells[i] = value - start
            except (TypeError, ValueError, OverflowError):
                raise Invalid(f"{what} is {value!r}, a {type(value).__name__}, not a whole number of {space}") from None

        return write_choice
    shape, dtype = space.shape, space.dtype
    start = space.start if isinstance(space, spaces.MultiDiscrete) else None
    if isinstance(space, spaces.Box) and is_image(space) and has_channels_last(shape):
        rows = rows.reshape(len(rows), shape[2], shape[0], shape[1]).transpose(0, 2, 3, 1)
    else:
        rows = rows.reshape(len(rows), *shape)

    def checked(value):
        try:
            value = np.asarray(value)
        except ValueError:
            raise Invalid(f"{what} is no array of numbers, but {type(value).__name__}") from None
        if value.shape != shape:
            raise Invalid(f"{what} has shape {list(value.shape)}, but its space has {list(shape)}")
        if not np.can_cast(value.dtype, dtype, "same_kind"):
            raise Invalid(f"{what} has elements of type {value.dtype}, but its space has {dtype}")
        return value if start is None else value - start

    def write_array(i, value):
        # What it is nearly always, without a call.
        if start is None and type(value) is np.ndarray and value.dtype is dtype and value.shape == shape:
            rows[i] = value
        else:
            rows[i] = checked(value)

    return write_array


def write_all(write_leaves):
    """Writes an observation, part by part."""
    if len(write_leaves) == 1 and not write_leaves[0][1]:
        return write_leaves[0][2]

    def write(i, observation):
        for name, keys, write_leaf in write_leaves:
            part = observation
            for key in keys:
                try:
                    part = part[key]
                except (KeyError, IndexError, TypeError):
                    raise Invalid(f"observation{name} is missing: the observation is {str(observation)[:200]}") from None
            write_leaf(i, part)

    return write


def action_of(space):
    """How many numbers an action has, and how it is made of them."""
    if isinstance(space, spaces.Discrete):
        start = np.int64(space.start)
        return 1, lambda row: row[0] + start
    if isinstance(space, (spaces.Dict, spaces.Tuple)):
        named = isinstance(space, spaces.Dict)
        parts, at = [], 0
        for key, part in space.spaces.items() if named else enumerate(space.spaces):
            width, make = action_of(part)
            parts.append((key, at, at + width, make))
            at += width
        if named:
            return at, lambda row: {key: make(row[a:b]) for key, a, b, make in parts}
        return at, lambda row: tuple(make(row[a:b]) for key, a, b, make in parts)
    shape, dtype = space.shape, space.dtype
    width = int(np.prod(shape))
    if isinstance(space, spaces.MultiDiscrete):
        return width, lambda row: (row.reshape(shape) + space.start).astype(dtype)
    if isinstance(space, spaces.MultiBinary):
        return width, lambda row: row.reshape(shape).astype(dtype)
    if dtype.kind == "f":
        # A bound of float64 may be passed by its nearest float32.
        clip = dtype == np.float64
        return width, lambda row: np.clip(row.reshape(shape).astype(dtype), space.low, space.high) if clip else row.reshape(shape).astype(dtype)
    return width, lambda row: np.rint(row.reshape(shape)).astype(dtype)


class Copies:
    """The environments of this process, and the frame that holds their last answers."""

    def __init__(self, make):
        self.make = make
        self.same = {}
        self.environments = [make()]
        first = self.environments[0]
        self.observation_space = first.observation_space
        self.action_space = first.action_space
        self.mask_in_observation = is_masked(self.observation_space)
        self.mask_size = sum(number_of_choices(leaf) for _, _, leaf in leaves(self.action_space))
        observations = describe_space(self.observation_space, "", "observation")
        actions = describe_space(self.action_space, "", "action")
        _, info = self.reset_one(0, 0)
        self.masked = self.mask_in_observation or "action_mask" in info
        self.spaces = {"observation": observations, "action": actions, "masked": self.masked}

    def reset_one(self, i, seed):
        answer = self.environments[i].reset(seed=seed)
        if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], dict):
            raise Invalid(f"reset returned {str(answer)[:200]}, not an observation and a dict")
        return answer

    def start(self, count, file):
        global progress
        while len(self.environments) < count:
            progress[0] = len(self.environments)
            self.environments.append(self.make())
            self.require_spaces(len(self.environments) - 1)
        found = [(name, keys, leaf, *wire(leaf)) for name, keys, leaf in leaves(self.observation_space)]
        # Rows of four-byte values, then of bytes, for observations and once more for final ones; pictures are in the file.
        words = sum(size for *_, kind, size in found if kind in ("int32", "float32"))
        small = sum(size for *_, kind, size in found if kind == "uint8")
        pixels = sum(size for *_, kind, size in found if kind == "image")
        masks = self.mask_size if self.masked else 0

        def padded(size):
            return (size + 3) // 4 * 4

        self.length = 8 + 4 * count * (1 + words) + padded(count * (1 + masks + small))
        self.full_length = self.length + 4 * count * words + padded(count * small)
        frame = bytearray(self.full_length)
        shared = mmap.mmap(file, 16 + 2 * count * pixels)
        os.close(file)
        self.frame = memoryview(frame)
        self.header = memoryview(frame).cast("i")
        self.rewards = memoryview(frame)[8 : 8 + 4 * count].cast("f")
        at = 8 + 4 * count + 4 * count * words
        self.flags = memoryview(frame)[at : at + count]
        self.masks = np.frombuffer(frame, np.uint8, count * masks, at + count).reshape(count, masks)
        self.write = write_all(self.rows(found, count, frame, 8 + 4 * count, at + count * (1 + masks), shared, 16))
        self.write_final = write_all(
            self.rows(found, count, frame, self.length, self.length + 4 * count * words, shared, 16 + count * pixels)
        )
        width, self.action = action_of(self.action_space)
        self.action_shape = (count, width)
        self.action_type = np.float32 if self.mask_size == 0 else np.int32
        self.one_choice = int(self.action_space.start) if isinstance(self.action_space, spaces.Discrete) else None
        old, progress = progress, memoryview(shared)[:16].cast("q")
        progress[0], progress[1] = old[0], old[1]

    @staticmethod
    def rows(found, count, frame, words_at, bytes_at, shared, pixels_at):
        writers = []
        for name, keys, leaf, kind, size in found:
            if kind == "image":
                rows = np.frombuffer(shared, np.uint8, count * size, pixels_at)
                pixels_at += count * size
            elif kind == "uint8":
                rows = np.frombuffer(frame, np.uint8, count * size, bytes_at)
                bytes_at += count * size
            else:
                rows = np.frombuffer(frame, kind, count * size, words_at)
                words_at += 4 * count * size
            writers.append((name, keys, writer(name, leaf, rows.reshape(count, size))))
        return writers

    def require_spaces(self, i):
        environment = self.environments[i]
        found = (environment.observation_space, environment.action_space)
        # Comparing spaces takes longer than a step does, and most are the same objects as ever.
        if i in self.same and self.same[i][0] is found[0] and self.same[i][1] is found[1]:
            return
        self.same[i] = found
        for whose, space, expected in zip(("observation", "action"), found, (self.observation_space, self.action_space)):
            if space != expected:
                raise Invalid(f"the {whose} space is {space}, and was {expected}; it must stay the same, and be that of every copy")

    def write_mask(self, i, observation, info):
        if self.mask_in_observation:
            mask = observation["action_mask"]
        elif "action_mask" in info:
            if not self.masked:
                raise Invalid("info has an action_mask, but that of the first reset had none; a mask has to be there from the start")
            mask = info["action_mask"]
        elif self.masked:
            raise Invalid("info has no action_mask, though that of the first reset had one")
        else:
            return
        if isinstance(mask, (tuple, list, dict)):
            parts = mask.values() if isinstance(mask, dict) else mask
            mask = np.concatenate([np.ravel(part) for part in parts]) if parts else np.zeros(0)
        mask = np.ravel(mask)
        if len(mask) != self.mask_size:
            raise Invalid(f"the action mask has {len(mask)} elements, but the action space has {self.mask_size} choices")
        self.masks[i] = mask != 0

    def begin(self, i, seed):
        observation, info = self.reset_one(i, seed)
        self.require_spaces(i)
        self.write(i, observation)
        if self.masked or "action_mask" in info:
            self.write_mask(i, observation, info)

    def answer(self, ended=False):
        length = self.full_length if ended else self.length
        self.header[0] = length - 4
        self.header[1] = ENDED if ended else OK
        send(self.frame[:length])

    def step(self, request):
        count, width = self.action_shape
        seeds = memoryview(request)[8 : 8 + 8 * count].cast("q")
        numbers = np.frombuffer(request, self.action_type, count * width, 8 + 8 * count)
        if self.one_choice is None:
            action = self.action
            actions = [action(row) for row in numbers.reshape(count, width)]
        else:
            # Of Python's own int, which Discrete.contains takes five times as fast as numpy's.
            actions = (numbers + self.one_choice).tolist()
        rewards, flags, write, masked, now = self.rewards, self.flags, self.write, self.masked, progress
        any_ended = False
        stage[0] = "after step"
        for i, environment in enumerate(self.environments):
            now[0] = i
            try:
                answer = environment.step(actions[i])
            except BaseException:
                stage[0] = "step"
                raise
            try:
                observation, reward, terminated, truncated, info = answer
            except (TypeError, ValueError):
                raise Invalid(f"step returned {str(answer)[:200]}, not observation, reward, terminated, truncated and info") from None
            try:
                rewards[i] = reward
            except TypeError:
                raise Invalid(f"the reward is {reward!r}, not a number") from None
            if terminated or truncated:
                any_ended = True
                flags[i] = 1 if terminated else 2
                self.write_final(i, observation)
                stage[0] = "next reset"
                self.begin(i, seeds[i])
                stage[0] = "after step"
            else:
                flags[i] = 0
                write(i, observation)
                if masked or "action_mask" in info:
                    self.write_mask(i, observation, info)
        self.answer(any_ended)

    def close(self):
        for i, environment in enumerate(self.environments):
            progress[0] = i
            environment.close()


def load(text):
    """An object by module:name."""
    import importlib

    module, _, name = text.partition(":")
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ModuleNotFoundError, AttributeError) as error:
        raise Unusable(f"there is no wrapper {text}: {error}; it is looked for in {os.getcwd()} and where Python has its packages") from None
    return found


def make(start):
    global np, spaces
    threading.Thread(target=watch, args=(start["timeout"], start["parent"]), daemon=True).start()
    here = f"{sys.executable or 'python3'}, Python {sys.version.split()[0]},"
    if sys.version_info < (3, 8):
        raise Unusable(f"{here} is too old; Python 3.8 or newer is needed, --python PATH names one")
    try:
        import gymnasium
        import numpy as np
        from gymnasium import spaces
    except ModuleNotFoundError as error:
        if error.name not in ("gymnasium", "numpy"):
            raise
        raise Unusable(
            f"{here} has no {error.name}; install it by {sys.executable or 'python3'} -m pip install gymnasium, or name another Python: --python PATH"
        ) from None
    arguments = {key: value(text) for key, text in start["args"].items()}
    wrappers = [load(text) for text in start["wrappers"]]

    def make_one():
        try:
            environment = gymnasium.make(start["id"], disable_env_checker=True, **arguments)
        except (gymnasium.error.Error, ModuleNotFoundError) as error:
            raise Unusable(f"{error}") from None
        for wrapper in wrappers:
            environment = wrapper(environment)
        return environment

    return Copies(make_one)


stage = ["make"]


def serve():
    copies = file = None
    while True:
        progress[0] = IDLE
        request = receive()
        progress[1] += 1
        progress[0] = 0
        code = int.from_bytes(request[4:8], "little")
        try:
            if code == STEP:
                copies.step(request)
            elif code == MAKE:
                stage[0] = "make"
                start = json.loads(request[8:])
                file = os.open(start["file"], os.O_RDWR)
                # Nobody is left to do so who would outlive both processes.
                os.unlink(start["file"])
                end_with(start["parent"])
                copies = make(start)
                send_json(OK, copies.spaces)
            elif code == START:
                stage[0] = "make"
                start = json.loads(request[8:])
                copies.start(start["count"], file)
                send_json(OK, {})
            elif code == RESET:
                stage[0] = "reset"
                for i, seed in enumerate(memoryview(request)[8:].cast("q")):
                    progress[0] = i
                    copies.begin(i, seed)
                copies.answer()
            elif code == RESTART:
                stage[0] = "reset"
                i, seed = memoryview(request)[8:].cast("q")
                progress[0] = i
                copies.begin(i, seed)
                copies.answer()
            elif code == QUIT:
                stage[0] = "close"
                if copies is not None:
                    copies.close()
                send_json(OK, {})
                return
        except Gone:
            raise
        except BaseException as error:
            failure = {"kind": "raised", "environment": progress[0], "stage": stage[0]}
            if isinstance(error, Unusable):
                failure.update(kind="unusable", message=str(error))
            elif isinstance(error, Invalid):
                failure.update(kind="invalid", message=str(error))
            else:
                failure["message"], failure["traceback"] = describe(error)
            send_json(FAILED, failure)


try:
    serve()
except Gone:
    pass
# Whatever threads the environment may have left.
sys.stdout.flush()
sys.stderr.flush()
os._exit(0)
