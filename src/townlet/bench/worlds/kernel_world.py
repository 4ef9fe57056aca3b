"""A level of Level 2's family by hand in C: kernel.c with the level's numbers before it, compiled on the spot."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from townlet.bench.worlds.choices import choices
from townlet.bench.worlds.plain_rules import Array, PlainRules, PlainStep
from townlet.environment.rules import EMPTY, STEPS

SOURCE = Path(__file__).with_name("kernel.c")
COMPILERS = ("cc", "gcc", "clang")
# What lets loops vectorise without changing a value; -ffast-math would, and so would contracting a * b + c.
FLAGS = (
    "-std=c11", "-O3", "-march=native", "-ffp-contract=off", "-fno-trapping-math", "-fno-signed-zeros",
    "-fno-math-errno", "-shared", "-fPIC",
)  # fmt: skip
POINTERS = {
    "meters": np.float32, "x": np.int32, "y": np.int32, "map": np.int32, "tick": np.int32, "episode": np.uint32,
    "key": np.uint32, "affordance_at": np.uint8, "window_bits": np.uint64, "choices": np.int64, "features": np.float32,
    "final_features": np.float32, "mask": np.bool_, "final_mask": np.bool_, "reward": np.float32,
    "terminated": np.bool_, "truncated": np.bool_, "actions": np.int64,
}  # fmt: skip


class NoCompilerError(Exception):
    """The kernel cannot be built here; one line that says why."""


class _World(ctypes.Structure):
    """`World` of kernel.c."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in POINTERS),
        ("num_agents", ctypes.c_int64),
        ("threads", ctypes.c_int32),
    ]


class KernelWorld:
    """The limit that VectorizedEnv is held against: C for one level, on `threads` threads where OpenMP works.

    Lives are those of a VectorizedEnv with the same seed, to the last bit. Raises NoCompilerError.
    """

    def __init__(self, rules: PlainRules, num_agents: int, seed: int, threads: int = 1) -> None:
        self.library, self.openmp = build(rules)
        agents, width, actions = num_agents, rules.layout.obs_dim, len(rules.level.actions)
        shapes: dict[str, tuple[int, ...]] = {
            "meters": (rules.num_meters, agents), "features": (agents, width), "final_features": (agents, width),
            "mask": (agents, actions), "final_mask": (agents, actions),
        }  # fmt: skip
        given = {
            "key": rules.keys(agents, seed), "affordance_at": rules.affordance_at, "window_bits": rules.window_bits,
            "choices": choices(actions),
        }  # fmt: skip
        self.arrays: dict[str, Array] = {
            name: np.ascontiguousarray(given[name]) if name in given else np.zeros(shapes.get(name, agents), kind)
            for name, kind in POINTERS.items()
        }
        pointers = {name: array.ctypes.data for name, array in self.arrays.items()}
        self._world = _World(**pointers, num_agents=agents, threads=threads if self.openmp else 1)

    def reset(self) -> tuple[Array, Array]:
        """Begin the first episode of every agent."""
        self.library.reset(ctypes.byref(self._world))
        return self.arrays["features"], self.arrays["mask"]

    def choose(self, draws: Array) -> Array:
        """Choose an allowed action of each agent by `draws` [num_agents] int32, [num_agents] int64."""
        self.library.choose(ctypes.byref(self._world), ctypes.c_void_p(draws.ctypes.data))
        return self.arrays["actions"]

    def step(self, actions: Array) -> PlainStep:
        """Advance all agents; the arrays of the result are written again by the next step."""
        if actions is not self.arrays["actions"]:
            self.arrays["actions"][:] = actions
        self.library.step(ctypes.byref(self._world))
        names = ("features", "mask", "reward", "terminated", "truncated", "final_features", "final_mask")
        return PlainStep(*(self.arrays[name] for name in names))


def build(rules: PlainRules) -> tuple[ctypes.CDLL, bool]:
    """Compile the kernel for a level and load it; and whether it has OpenMP. Raises NoCompilerError."""
    compiler = next(filter(None, map(shutil.which, (os.environ.get("CC") or "cc", *COMPILERS))), None)
    if compiler is None:
        raise NoCompilerError(f"expected a C compiler, one of {', '.join(COMPILERS)}, got none")
    with tempfile.TemporaryDirectory(prefix="townlet-kernel-") as folder:
        source, library = Path(folder, "kernel.c"), Path(folder, "kernel.so")
        source.write_text(constants(rules) + SOURCE.read_text())
        said = ""
        for openmp in (True, False):
            command = [compiler, *FLAGS, *(["-fopenmp"] if openmp else []), "-o", str(library), str(source)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                try:
                    return ctypes.CDLL(str(library)), openmp
                except OSError as error:
                    done.stderr = str(error)
            said = " ".join(done.stderr.split())[:200]
    raise NoCompilerError(f"expected {compiler} to build the kernel, got {said}")


def constants(rules: PlainRules) -> str:
    """Write the level's numbers as the macros and tables that kernel.c is written in."""
    level, parts, terms = rules.level, rules.layout.slices, rules.level.reward
    assert level.observation.window is not None and terms.potential is not None  # such levels alone are plain
    moves = {name: level.actions.index(name) if name in level.actions else -1 for name in STEPS}
    numbers: dict[str, object] = {
        **moves, "INTERACT": level.actions.index("INTERACT"),
        "NUM_METERS": rules.num_meters, "NUM_AFFORDANCES": rules.num_affordances, "NUM_ACTIONS": len(level.actions),
        "NUM_MAPS": len(rules.affordance_at),
        "WIDTH": level.grid.width, "HEIGHT": level.grid.height, "MAX_STEPS": level.max_steps,
        "OBS_DIM": rules.layout.obs_dim, "WINDOW_CELLS": level.observation.window**2,
        "WINDOW_AT": parts["window"].start, "POSITION_AT": parts["position"].start,
        "METERS_AT": parts["meters"].start, "UNDERFOOT_AT": parts["underfoot"].start,
        "X_SCALE": _real(max(level.grid.width - 1, 1)), "Y_SCALE": _real(max(level.grid.height - 1, 1)),
        "EMPTY": _real(EMPTY), "THRESHOLD": _real(rules.threshold), "ALIVE": _real(terms.alive),
        "DEATH": _real(terms.death), "GAMMA": _real(level.training.gamma),
        "POTENTIAL_SCALE": _real(terms.potential.scale),
        "POTENTIAL_WEIGHTS": _real(sum(weight for _, weight, _ in rules.potential)),
    }  # fmt: skip
    allowed = {"UP": "y > 0", "DOWN": "y < HEIGHT - 1", "LEFT": "x > 0", "RIGHT": "x < WIDTH - 1", "WAIT": "1"}
    meters = zip(rules.initial, rules.move, rules.passive, rules.lethal, strict=True)
    lines = [f"#define {name} {value}" for name, value in numbers.items()]
    lines += [
        _each("EACH_METER", ((k, *map(_real, row[:3]), int(row[3])) for k, row in enumerate(meters))),
        _each("EACH_COST", ((k,) for k, row in enumerate(rules.costs) if row.any())),
        _each("EACH_EFFECT", ((k,) for k, row in enumerate(rules.effects) if row.any())),
        _each("EACH_DRAIN", (
            (k, "0.0f" if by is None else f"1.0f - old[{by}]", *map(_real, row)) for k, by, *row in rules.drains
        )),
        _each("EACH_POTENTIAL", ((k, _real(weight), _real(full)) for k, weight, full in rules.potential)),
        _each("EACH_ACTION", (
            (index, allowed.get(name, "payable")) for index, name in enumerate(level.actions)
        ), ", x, y, payable"),
        _each("EACH_GROUP", ((f"EACH_PULL_{group}",) for group in range(len(rules.groups)))),
        *(
            _each(f"EACH_PULL_{group}", ((source, target, _real(strength)) for source, target, strength in pulls))
            for group, pulls in enumerate(rules.groups)
        ),
        _table("COSTS", rules.costs),
        _table("EFFECTS", rules.effects),
    ]  # fmt: skip
    return "\n".join(lines) + "\n#line 1\n"


def _each(name: str, rows: Iterable[tuple[object, ...]], more: str = "") -> str:
    """A macro that applies another, X, to each row."""
    return f"#define {name}(X{more}) " + " ".join(f"X({', '.join(map(str, row))})" for row in rows)


def _table(name: str, rows: Array) -> str:
    inner = ", ".join("{" + ", ".join(map(_real, row)) + "}" for row in rows)
    return f"static const float {name}[{len(rows)}][{rows.shape[1]}] = {{{inner}}};"


def _real(value: float) -> str:
    """A float32 literal that means this very value."""
    return f"{float(np.float32(value))!r}f"
