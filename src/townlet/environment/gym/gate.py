"""The gate: what environments of others hand out comes in here, as copies of our own, or is refused in one line."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from townlet.environment.types import WorldError

Array = np.ndarray[Any, Any]

MASK = "action_mask"
RETURNED = {  # what a call returns, by its name
    "reset": ("observation", "info"),
    "step": ("observation", "reward", "terminated", "truncated", "info"),
}
NUMBERS, FLAGS = "biuf", "b"  # NumPy's kinds of what counts as a number, and as true or false
MOST_LETTERS = 240  # of what somebody else's error says


class Each(list[Any]):
    """A value an agent, as each environment handed it out: no array yet, and perhaps of no common shape."""


class Gate:
    """Lets in what an environment hands out: copied, of the shape and type that it declares, and finite.

    Its methods look at all agents at once, [num_agents, ...]; with `agents`, sorted indices, at those alone, and return
    their rows. What is wrong is a WorldError that names the environment, the field, the agent and the step; agents
    count from `first` on.
    """

    def __init__(self, environment: str, num_agents: int, first: int = 0) -> None:
        self.environment, self.num_agents, self.first = environment, num_agents, first
        self.everyone = np.arange(num_agents)
        self.moment = "before the first reset"
        self.refused = False  # whether anything ever was

    def refusal(self, field: str, expected: str, got: str, agent: int | None = None) -> WorldError:
        """Return the error to raise: of one agent, or, without, of all."""
        return self._fault(f"{field}: expected {expected}, got {got}", agent)

    def _fault(self, what: str, agent: int | None) -> WorldError:
        self.refused = True
        where = self.moment if agent is None else f"agent {self.first + agent}, {self.moment}"
        return WorldError(f"{self.environment}: {what} ({where})")

    def check_can_act(self, mask: Array, acts: Array) -> None:
        """Raise WorldError where one of those who act, [num_agents] bool, may do nothing by its row of the mask."""
        stuck = np.flatnonzero(acts & ~mask.any(axis=1))
        if stuck.size:
            raise self.refusal(MASK, "an allowed action", "none", int(stuck[0]))

    # --- calls -------------------------------------------------------------------------------------------------------

    def call(self, what: str, function: Callable[..., Any], *given: Any, agent: int | None = None, **named: Any) -> Any:
        """Run code of the environment's, which may raise anything; `what` says for people which it is."""
        try:
            return function(*given, **named)
        except (KeyboardInterrupt, WorldError):
            raise
        except BaseException as error:
            raise self._fault(f"{what}: raised {told(error)}", agent) from error

    def take(self, what: str, function: Callable[..., Any], *given: Any, agent: int | None = None, **named: Any) -> Any:
        """Call a `reset` or a `step`, and return as many values as that has, the last one a mapping."""
        returned, names = self.call(what, function, *given, agent=agent, **named), RETURNED[what]
        if not isinstance(returned, tuple | list) or len(returned) != len(names):
            got = f"{len(returned)} values" if isinstance(returned, tuple | list) else described(returned)
            raise self.refusal(what, f"{len(names)} values ({', '.join(names)})", got, agent)
        if not isinstance(returned[-1], dict | Mapping):  # a dict first: it is found at once
            raise self.refusal("info", "a dict", described(returned[-1]), agent)
        return returned

    # --- values ------------------------------------------------------------------------------------------------------

    def numbers(self, field: str, values: Any, shape: tuple[int, ...], agents: Array | None = None) -> Array:
        """Finite numbers, [agents, *shape] float32."""
        numbers = found = self.array(field, values, shape, agents)
        if found.dtype != np.float32:
            with np.errstate(over="ignore"):
                numbers = found.astype(np.float32)
        if not (finite := np.isfinite(numbers)).all():
            where = tuple(np.argwhere(~finite)[0])
            expected = "finite numbers" if shape else "a finite number"
            raise self.refusal(field, expected, str(found[where]), self._whose(where[0], agents))
        return numbers

    def flags(self, field: str, values: Any) -> Array:
        """True or false for each agent, [num_agents] bool."""
        return self.array(field, values, (), None, FLAGS, "a bool")

    def flag(self, field: str, value: Any, agent: int) -> bool:
        """True or false for one agent."""
        if isinstance(value, bool | np.bool_):
            return bool(value)
        found = _array(value)
        if found is None or found.shape or found.dtype.kind not in FLAGS:
            raise self.refusal(field, "a bool", described(value), agent)
        return bool(found)

    def mask(self, values: Any, num_actions: int, agents: Array | None = None) -> Array:
        """Which actions are allowed, [agents, num_actions] bool, given as numbers 0 and 1 of any type."""
        expected = f"[{num_actions}] of 0 and 1"
        found = self.array(MASK, values, (num_actions,), agents, NUMBERS, expected)
        allowed = found.astype(bool)
        if (strange := found != allowed).any():
            where = tuple(np.argwhere(strange)[0])
            raise self.refusal(MASK, expected, f"a value {found[where]}", self._whose(where[0], agents))
        return allowed

    def array(
        self,
        field: str,
        values: Any,
        shape: tuple[int, ...],
        agents: Array | None = None,
        kinds: str = NUMBERS,
        expected: str = "",
    ) -> Array:
        """A copy of a value for each agent, [agents, *shape], of one of NumPy's `kinds`."""
        expected, values = expected or (f"{list(shape)} numbers" if shape else "a number"), self._apart(values)
        if agents is not None:
            values = self._rows(field, values, agents)
        found, count = _array(values), self.num_agents if agents is None else len(agents)
        if found is not None and found.shape == (count, *shape) and found.dtype.kind in kinds:
            return found
        for row, value in enumerate(values if isinstance(values, Each) else ()):
            one = _array(value)
            if one is None or one.shape != shape or one.dtype.kind not in kinds:
                raise self.refusal(field, expected, described(value), self._whose(row, agents))
        raise self.refusal(field, f"{expected} for each of {count} agents", described(values))

    def part(self, field: str, values: Any, name: str | int) -> Any:
        """One part of a nest, by its name or place, for all agents."""
        if not isinstance(values := self._apart(values), Each):
            return self._part(field, values, name, None)
        nests = enumerate(values)  # of those whom nobody looks at there may be none
        return Each(None if nest is None else self._part(field, nest, name, agent) for agent, nest in nests)

    def _part(self, field: str, nest: Any, name: str | int, agent: int | None) -> Any:
        rows = tuple | list if agent is None else tuple | list | np.ndarray
        there = name in nest if isinstance(nest, Mapping) else isinstance(nest, rows) and name in range(len(nest))
        if not there:
            raise self.refusal(field, f"a part {name!r}", described(nest), agent)
        return nest[name]

    def _apart(self, values: Any) -> Any:
        """An array of somebody's objects, one an agent, as Each."""
        apart = isinstance(values, np.ndarray) and values.dtype == object and values.shape == (self.num_agents,)
        return Each(values) if apart else values

    def _rows(self, field: str, values: Any, agents: Array) -> Any:
        """The rows of some agents."""
        if isinstance(values, Each):
            return Each(values[agent] for agent in agents)
        found = _array(values)
        if found is None or found.shape[:1] != (self.num_agents,):
            raise self.refusal(field, f"a row for each of {self.num_agents} agents", described(values))
        return found[agents]

    def _whose(self, row: int, agents: Array | None) -> int:
        return int(row if agents is None else agents[row])


def copied(value: Any) -> Any:
    """Copy what an environment handed out, through nests, so that it may change its own later."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, int | float | np.generic):  # which nobody can change
        return value
    if isinstance(value, dict | Mapping):
        return {name: copied(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [copied(part) for part in value]
    found = _array(value) if hasattr(value, "__array__") else None  # a tensor of some library
    return value if found is None else found


def told(error: BaseException) -> str:
    """What an error says, in one line that is not too long."""
    try:
        text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    except Exception:  # an error that cannot say what it is
        text = type(error).__name__
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 3]}..."


def described(value: Any) -> str:
    """A value in a few words: the shape and type of an array, anything short as it is."""
    if value is None or isinstance(value, dict | set):
        return str(value) if value is None else type(value).__name__
    found = _array(value)
    if found is None or found.dtype == object:
        return type(value).__name__
    if found.shape or isinstance(value, np.ndarray):
        return f"{list(found.shape)} {found.dtype}"
    text = f"{type(value).__name__} {value!r}" if found.dtype.kind in "US" else f"{type(value).__name__} {value}"
    return " ".join(text.split())[:MOST_LETTERS]


def _array(values: Any) -> Array | None:
    """A new array of some values, None where they make none."""
    try:
        found = np.asarray(values)
    except Exception:  # of no common shape, or somebody's own class, which may raise anything
        return None
    return found if isinstance(values, list | tuple) else found.copy()
