"""The vectorised town: all agents in one fused step."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from townlet.capture import Captured, mapped, reason_of, write
from townlet.config import Level
from townlet.environment.fuse import fuse
from townlet.environment.layout import lay_out
from townlet.environment.observation import observe
from townlet.environment.rewards import reward
from townlet.environment.rules import Tick, cause_of_death, look_down, look_underfoot, tick
from townlet.environment.tables import Tables, make_tables
from townlet.environment.types import Difficulty, EnvState, Observation, Standing, StepResult
from townlet.seeding import draw_below, mix, stream_seed

STEPS_THAT_REPAY_COMPILING = 7_000  # compiling takes 2 to 9 s and saves about 1.3 ms a step on a CPU

MAP_STREAM, X_STREAM, Y_STREAM = 1, 2, 3  # what a new episode draws


class Counts(NamedTuple):
    """What happened in a tick, over all agents."""

    uses: Tensor  # [num_affordances] float32, interactions completed
    deaths: Tensor  # [num_meters] float32, by the first lethal meter that is empty


class Advanced(NamedTuple):
    """What `advance` returns."""

    state: EnvState
    result: StepResult
    counts: Counts
    shared: tuple[Tensor, ...]  # what several outputs are made of: what is not handed out is computed for each anew


class VectorizedEnv:
    """A level's world for `num_agents` agents at once.

    `maps` is "training" or "evaluation": tables that share no map. `seed` decides which map and which cell each episode
    of each agent begins with, by a hash of (seed, agent, episode), so agent 7 lives the same life beside any number of
    others. `compile` fuses the step; "auto" does so where the level's run is long enough to repay it, and does without
    where that fails, mostly for want of a C++ compiler: `compile_failure` then says why. On a CUDA device both also
    `capture` the step, where that succeeds.
    """

    resumes = True

    def __init__(
        self,
        level: Level,
        num_agents: int,
        device: torch.device | str = "cpu",
        seed: int | None = None,
        compile: bool | Literal["auto"] = "auto",
        maps: Literal["training", "evaluation"] = "training",
    ) -> None:
        if num_agents < 1:
            raise ValueError(f"num_agents: expected at least 1, got {num_agents}")
        if maps not in ("training", "evaluation"):
            raise ValueError(f"maps: expected training or evaluation, got {maps!r}")
        self.level, self.num_agents, self.device, self.maps = level, num_agents, torch.device(device), maps
        self.observation_layout = lay_out(level)
        self.obs_dim, self.num_actions = self.observation_layout.obs_dim, len(level.actions)
        lethal = [level.meters[name].lethal for name in level.present_meters]
        self.causes = {index: name for index, name in enumerate(level.present_meters) if lethal[index]}
        self.tables = make_tables(level, maps, self.device)
        self._key = self._agent_keys(level.training.seed if seed is None else seed)
        self._counts = self._no_counts()
        self._state = self._first_episodes()
        self.compile_failure: str | None = None
        self._advance: Callable[..., Advanced] = advance
        if compile is True or (compile == "auto" and repays_compiling(level.training.total_steps // num_agents)):
            self._advance = self._compile(may_fail=compile == "auto")
        self._step: Callable[..., Advanced] = partial(self._advance, level, self.tables)
        if compile is not False and self.device.type == "cuda":
            self.capture()

    @property
    def state(self) -> EnvState:
        """The world between two ticks: a copy, since a captured step overwrites the state where it lies."""
        copied: EnvState = mapped(Tensor.clone, self._state)
        return copied

    @state.setter
    def state(self, state: EnvState) -> None:
        self._state = state

    @property
    def compiled(self) -> bool:
        """Whether a step is one compiled kernel."""
        return self._advance is not advance

    def _compile(self, may_fail: bool) -> Callable[..., Advanced]:
        try:
            return fuse(advance, varying="difficulty", trial=(self.level, self.tables, *self._trial()))
        except Exception as error:  # compilers fail in many ways
            if not may_fail:
                raise
            self.compile_failure = reason_of(error)
            return advance

    def capture(self) -> None:
        """Take steps over static buffers from now on, on a CUDA device as one graph: see `Captured`.

        What a StepResult holds is then overwritten by the next step, all but its observation, which agents still act
        on and remember in that next step.
        """
        captured = Captured(in_place(self._step), self.device)

        def step(*inputs: Any) -> Advanced:
            done: Advanced = captured(*inputs)
            seen = Observation(*(part.clone() for part in done.result.observation))
            return done._replace(result=done.result._replace(observation=seen))

        captured(*self._trial())
        if captured.failure:
            self.compile_failure = f"no CUDA graph: {captured.failure}"
        else:
            self._step = step

    def _trial(self) -> tuple[Any, ...]:
        """What a step takes, with a difficulty if that is what the steps of training have."""
        still, difficulty = torch.zeros_like(self._key, dtype=torch.int64), None
        if self.level.graded:
            shares = torch.ones(len(self.level.present_meters), self.num_agents, device=self.device)
            difficulty = Difficulty(shares, torch.zeros_like(still, dtype=torch.bool))
        return self._key, self._state, self._counts, still, difficulty

    def _agent_keys(self, seed: int) -> Tensor:
        agent = torch.arange(self.num_agents, dtype=torch.int32, device=self.device)
        return mix(agent ^ stream_seed(seed, f"world/{self.maps}"))

    def _no_counts(self) -> Counts:
        uses, deaths = len(self.level.affordances), len(self.level.present_meters)
        return Counts(torch.zeros(uses, device=self.device), torch.zeros(deaths, device=self.device))

    def reset(self) -> Observation:
        """Begin the first episode of every agent; any two resets are equal."""
        self._state = self._first_episodes()
        return self.observe()

    def _first_episodes(self) -> EnvState:
        state = begin_episodes(self.level, self.tables, self._key, torch.zeros_like(self._key))
        return state._replace(meters=state.meters.contiguous())  # laid out as a step leaves them

    def begin(self, who: Tensor, seed: int | None = None) -> Observation:
        """Begin the next episode of the agents in `who` [num_agents] bool, or, with a seed, the first that it gives.

        All others go on with the episode that they are in.
        """
        if seed is not None:
            self._key = torch.where(who, self._agent_keys(seed), self._key)
        episode = self._state.episode + 1 if seed is None else torch.zeros_like(self._state.episode)
        self.take(who, begin_episodes(self.level, self.tables, self._key, episode))
        return self.observe()

    def take(self, who: Tensor, state: EnvState) -> None:
        """Put the agents in `who` [num_agents] bool into their rows of `state`."""
        self._state = EnvState(*(torch.where(who, new, old) for new, old in zip(state, self._state, strict=True)))

    def observe(self) -> Observation:
        """What all agents see now."""
        return observe(self.level, self.tables, self._state, look_underfoot(self.level, self.tables, self._state))

    def step(self, actions: Tensor, difficulty: Difficulty | None = None) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64, indices into `level.actions`.

        A forbidden action does nothing, as waiting does. Ended episodes begin anew within the step. Without a
        difficulty the world is as the level says. Raises ValueError for actions of another shape or type. A step that
        is captured overwrites the result of the one before, see `capture`.
        """
        if actions.shape != (self.num_agents,) or actions.dtype != torch.int64:
            got = f"{list(actions.shape)} {actions.dtype}"
            raise ValueError(f"actions: expected [{self.num_agents}] torch.int64, got {got}")
        done = self._step(self._key, self._state, self._counts, actions, difficulty)
        self._state, self._counts = done.state, done.counts
        return done.result

    def standing(self) -> Standing:
        """Return where the agents are now."""
        cell = self._state.y * self.level.grid.width + self._state.x
        return Standing(cell, look_down(self.level, self.tables, self._state)[1])

    def cause_of_death(self, final_features: Tensor) -> Tensor:
        """Return the first lethal meter that is empty in [num_agents, obs_dim], by index; num_meters for none."""
        final = final_features[:, self.observation_layout.slices["meters"]]
        return cause_of_death(self.level, list(final.unbind(dim=1)))  # a row a meter

    def read_metrics(self) -> dict[str, float]:
        """Means of the meters now; uses of affordances and deaths by meter since the last call."""
        means, uses, deaths = (
            self._state.meters.mean(dim=1).tolist(),
            self._counts.uses.tolist(),
            self._counts.deaths.tolist(),
        )
        self._counts, level = self._no_counts(), self.level
        metrics = {f"meters/{name}_mean": value for name, value in zip(level.present_meters, means, strict=True)}
        for name, value in zip(level.affordances, uses, strict=True):
            if name in level.placed_affordances:
                metrics[f"affordance/{name}_uses"] = value
        for name, value in zip(level.present_meters, deaths, strict=True):
            if level.meters[name].lethal:
                metrics[f"deaths/{name}"] = value
        return metrics

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on, copied: see `state`."""
        live = {"state": self._state._asdict(), "counts": self._counts._asdict(), "key": self._key}
        copied: dict[str, Any] = mapped(Tensor.clone, live)
        return copied

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned. Raises ValueError for another number of agents."""
        if state["key"].shape != self._key.shape:
            raise ValueError(f"num_agents: expected {self.num_agents}, got a state of {len(state['key'])}")
        state = mapped(partial(Tensor.to, device=self.device), dict(state))
        self._state, self._counts, self._key = EnvState(**state["state"]), Counts(**state["counts"]), state["key"]

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


def repays_compiling(steps: int) -> bool:
    """Whether so many steps of all agents at once repay what compiling takes."""
    return steps >= STEPS_THAT_REPAY_COMPILING


def begin_episodes(level: Level, tables: Tables, key: Tensor, episode: Tensor) -> EnvState:
    """The first state of the given episode of each agent; `key` and `episode` are [num_agents] int32."""
    hashed = mix(key ^ episode)
    return EnvState(
        meters=tables.initial.unsqueeze(1).expand(-1, len(key)),
        x=draw_below(mix(hashed ^ X_STREAM), level.grid.width),
        y=draw_below(mix(hashed ^ Y_STREAM), level.grid.height),
        map_index=draw_below(mix(hashed ^ MAP_STREAM), tables.num_maps),
        progress=torch.zeros_like(key),  # no tensor twice: dynamo would compile once more where they part
        tick=torch.zeros_like(key),
        episode=episode,
    )


def advance(
    level: Level,
    tables: Tables,
    key: Tensor,
    state: EnvState,
    counts: Counts,
    actions: Tensor,
    difficulty: Difficulty | None = None,
) -> Advanced:
    """One tick of all agents and the reset of those whose episode ended: pure, and of fixed shapes."""
    done = tick(level, tables, state, actions, difficulty)
    ended = (done.terminated | done.truncated).int()  # an int32 is stored and read by vectors, a bool is not
    begun = begin_episodes(level, tables, key, state.episode + 1)
    after = EnvState(*(torch.where(ended > 0, new, old) for new, old in zip(begun, done.state, strict=True)))
    underfoot = look_underfoot(level, tables, after)
    final = observe(level, tables, done.state, done.underfoot)
    shared = (ended, done.completed, done.cause, done.underfoot.cell, underfoot.cell)
    result = StepResult(
        observation=observe(level, tables, after, underfoot),
        reward=reward(level, done, difficulty),
        terminated=done.terminated,
        truncated=done.truncated,
        final_features=final.features,
        final_action_mask=final.action_mask,
    )
    return Advanced(after, result, _count(counts, done), shared)


def in_place(step: Callable[..., Advanced]) -> Callable[..., Advanced]:
    """Make a step write state and counts where it read them, so that the next one finds them there."""

    def written(
        key: Tensor, state: EnvState, counts: Counts, actions: Tensor, difficulty: Difficulty | None
    ) -> Advanced:
        done = step(key, state, counts, actions, difficulty)
        write([*state, *counts], [*done.state, *done.counts])
        return done._replace(state=state, counts=counts, shared=())

    return written


def _count(counts: Counts, done: Tick) -> Counts:
    uses, deaths = counts
    return Counts(uses + _histogram(done.completed, len(uses)), deaths + _histogram(done.cause, len(deaths)))


def _histogram(values: Tensor, size: int) -> Tensor:
    """How often each of 0 to size - 1 is among `values` [num_agents], [size] float32; larger values are left out."""
    bins = torch.arange(size, dtype=values.dtype, device=values.device)
    return (values.unsqueeze(0) == bins.unsqueeze(1)).float().sum(dim=1)
