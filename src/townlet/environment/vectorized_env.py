"""The vectorised town: all agents in one fused step."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from townlet.capture import Captured, leaves, mapped, reason_of, write
from townlet.config import Level
from townlet.environment.advance import Advanced, Counts, advance, begin_episodes, in_place
from townlet.environment.compiled.blocks import Blocks, compiled_at_once, compiled_step
from townlet.environment.compiled.kernels import UnknownKernelsError
from townlet.environment.compiled.repeat import Repeated
from townlet.environment.layout import lay_out
from townlet.environment.observation import observe, with_bools
from townlet.environment.rules import cause_of_death, look_down, look_underfoot
from townlet.environment.tables import make_tables
from townlet.environment.types import Difficulty, EnvState, Observation, Standing, StepResult
from townlet.seeding import mix, stream_seed
from townlet.shares.share import ALONE, Share

STEPS_THAT_REPAY_COMPILING = 7_000  # compiling takes 2 to 9 s and saves about 1.3 ms a step on a CPU


class VectorizedEnv:
    """A level's world for `num_agents` agents at once.

    `maps` is "training" or "evaluation": tables that share no map. `seed` decides which map and which cell each episode
    of each agent begins with, by a hash of (seed, agent, episode), so agent 7 lives the same life beside any number of
    others; of a population in several processes it holds the agents of one `share`. `compile` fuses the step; "auto"
    does so where the level's run is long enough to repay it, and does without where that fails, mostly for want of a
    C++ compiler: `compile_failure` then says why. On a CUDA device both also `capture` the step, where that succeeds.
    `skips` says that steps will be told who is skipped, to compile for that.
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
        skips: bool = False,
        share: Share = ALONE,
    ) -> None:
        if num_agents < 1:
            raise ValueError(f"num_agents: expected at least 1, got {num_agents}")
        if maps not in ("training", "evaluation"):
            raise ValueError(f"maps: expected training or evaluation, got {maps!r}")
        self.level, self.num_agents, self.device, self.maps = level, num_agents, torch.device(device), maps
        self.share, self.skips = share, skips
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
        steps = level.training.total_steps // (num_agents * share.size)
        if compile is True or (compile == "auto" and repays_compiling(steps)):
            self._advance = self._compile(may_fail=compile == "auto")
        self._plain_step: Callable[..., Advanced] = partial(_step, self._advance, level, self.tables)
        self._step: Callable[..., Advanced] = self._plain_step
        self._stays = False  # whether state, counts and keys stay where they lie
        if self.compiled and self.device.type == "cpu":
            self._repeat()
        if compile is not False and self.device.type == "cuda":
            self.capture()

    @property
    def state(self) -> EnvState:
        """The world between two ticks: a copy, since a captured step overwrites the state where it lies."""
        copied: EnvState = mapped(Tensor.clone, self._state)
        return copied

    @state.setter
    def state(self, state: EnvState) -> None:
        self._go_on(state=state)

    def _go_on(self, state: EnvState | None = None, counts: Counts | None = None, key: Tensor | None = None) -> None:
        """Put other state, counts or keys in the place of those there are, or into their tensors if these stay."""
        new = {"_state": state, "_counts": counts, "_key": key}
        for name, value in new.items():
            if value is not None and self._stays:
                write(list(leaves(getattr(self, name))), list(leaves(value)))
            elif value is not None:
                setattr(self, name, value)

    @property
    def compiled(self) -> bool:
        """Whether a step is one compiled kernel."""
        return self._advance is not advance

    def _compile(self, may_fail: bool) -> Callable[..., Advanced]:
        try:
            return compiled_step(self.level, self.tables, self._trial())
        except Exception as error:  # compilers fail in many ways
            if not may_fail:
                raise
            self.compile_failure = reason_of(error)
            return advance

    def _repeat(self) -> None:
        """Make the calls of the compiled step's kernels alone from now on, where that is all there is to it."""
        blocks = self._advance if isinstance(self._advance, Blocks) else None
        noting = partial(blocks.note, self.level, self.tables) if blocks else None
        try:
            self._step = Repeated(self._step, self.tables.tensors(), self._trial(), noting)
        except UnknownKernelsError:  # then it stays as it is, slower; but what blocks return would be copied
            if blocks:
                self._advance = compiled_at_once(self.level, self.tables, self._trial())
                self._step = self._plain_step = partial(_step, self._advance, self.level, self.tables)

    def capture(self) -> None:
        """Take steps over static buffers from now on, on a CUDA device as one graph: see `Captured`.

        What a StepResult holds is then overwritten by the next step, all but its observation, which agents still act
        on and remember in that next step. The first step captures it, so that who captures more than a step of this
        world, see `keep_in_place` and `step_in_place`, waits for no graph that nobody replays; where that fails, steps
        stay as they were.
        """
        captured = Captured(in_place(self._plain_step), self.device)

        def step(*inputs: Any) -> Advanced:
            done: Advanced = captured(*inputs)
            if captured.failure:
                self.compile_failure = f"no CUDA graph: {captured.failure}"
                self._step = self._plain_step
            seen = Observation(*(part.clone() for part in done.result.observation))
            return done._replace(result=done.result._replace(observation=seen))

        self._step = step

    def keep_in_place(self) -> bool:
        """Take plain steps that write state and counts where they lie from now on, for a graph of others; return True.

        What a step returns is overwritten by the next, where both are of that graph.
        """
        self._state, self._counts, self._key = mapped(Tensor.clone, (self._state, self._counts, self._key))
        self._step, self._stays = in_place(self._plain_step), True
        return True

    def _trial(self) -> tuple[Any, ...]:
        """What a step takes, with a difficulty if that is what the steps of training have, and with who is skipped."""
        still, difficulty = torch.zeros_like(self._key, dtype=torch.int64), None
        if self.level.graded:
            shares = torch.ones(len(self.level.present_meters), self.num_agents, device=self.device)
            difficulty = Difficulty(shares, torch.zeros_like(still, dtype=torch.bool))
        skipped = torch.zeros_like(still, dtype=torch.bool) if self.skips else None
        return self._key, self._state, self._counts, still, difficulty, skipped

    def _agent_keys(self, seed: int) -> Tensor:
        first = self.share.rank * self.num_agents
        agent = torch.arange(first, first + self.num_agents, dtype=torch.int32, device=self.device)
        return mix(agent ^ stream_seed(seed, f"world/{self.maps}"))

    def _no_counts(self) -> Counts:
        uses, deaths = len(self.level.affordances), len(self.level.present_meters)
        return Counts(torch.zeros(uses, device=self.device), torch.zeros(deaths, device=self.device))

    def reset(self) -> Observation:
        """Begin the first episode of every agent; any two resets are equal."""
        self._go_on(state=self._first_episodes())
        return self.observe()

    def _first_episodes(self) -> EnvState:
        state = begin_episodes(self.level, self.tables, self._key, torch.zeros_like(self._key))
        return state._replace(meters=state.meters.contiguous())  # laid out as a step leaves them

    def begin(self, who: Tensor, seed: int | None = None) -> Observation:
        """Begin the next episode of the agents in `who` [num_agents] bool, or, with a seed, the first that it gives.

        All others go on with the episode that they are in.
        """
        if seed is not None:
            self._go_on(key=torch.where(who, self._agent_keys(seed), self._key))
        episode = self._state.episode + 1 if seed is None else torch.zeros_like(self._state.episode)
        self.take(who, begin_episodes(self.level, self.tables, self._key, episode))
        return self.observe()

    def take(self, who: Tensor, state: EnvState) -> None:
        """Put the agents in `who` [num_agents] bool into their rows of `state`."""
        taken = (torch.where(who, new, old) for new, old in zip(state, self._state, strict=True))
        self._go_on(state=EnvState(*taken))

    def observe(self) -> Observation:
        """What all agents see now."""
        return observe(self.level, self.tables, self._state, look_underfoot(self.level, self.tables, self._state))

    def step(self, actions: Tensor, difficulty: Difficulty | None = None, skipped: Tensor | None = None) -> StepResult:
        """Advance all agents by `actions` [num_agents] int64, indices into `level.actions`.

        A forbidden action does nothing, as waiting does. Ended episodes begin anew within the step. Without a
        difficulty the world is as the level says. Who is `skipped` [num_agents] bool stays as it is, and is paid
        nothing; with it, what is observed of an ended episode is its end, and its agent sees the next one's beginning
        in a tick for which it is skipped. Raises ValueError for actions of another shape or type.

        A result stays what it is for whoever in this process holds a part of it; a compiled step on a CPU writes into
        the memory of one that nobody holds any more. A step that is captured overwrites the result of the one before,
        see `capture`.
        """
        self._check(actions, torch.int64)
        done = self._step(self._key, self._state, self._counts, actions, difficulty, skipped)
        self._state, self._counts = done.state, done.counts
        return done.result if skipped is None else done.result._replace(skipped=skipped)

    def step_in_numpy(self, actions: NDArray[np.int64], skipped: NDArray[np.bool_] | None = None) -> Any:
        """Advance as `step` does, with arrays in and out: a StepResult of them, without `skipped`.

        On a CPU they lie where tensors would, and a compiled step makes no tensor: with few agents it takes less time.
        """
        self._check(actions, np.dtype(np.int64))
        if isinstance(self._step, Repeated):
            done = self._step(self._key, self._state, self._counts, actions, None, skipped)
            self._state, self._counts = done.state, done.counts
            return done.result if isinstance(done.result.reward, np.ndarray) else to_numpy(done.result)
        acts = torch.from_numpy(actions).to(self.device)
        skips = None if skipped is None else torch.from_numpy(skipped).to(self.device)
        return to_numpy(self.step(acts, skipped=skips)._replace(skipped=None))

    def _check(self, actions: Any, dtype: torch.dtype | np.dtype[Any]) -> None:
        if actions.shape != (self.num_agents,) or actions.dtype != dtype:
            got = f"{list(actions.shape)} {actions.dtype}"
            raise ValueError(f"actions: expected [{self.num_agents}] {dtype}, got {got}")

    def step_in_place(self, actions: Tensor) -> StepResult:
        """Advance as `step` does, and write the state where it lies: for those who capture more than a step of it."""
        return in_place(self._plain_step)(self._key, self._state, self._counts, actions, None, None).result

    def standing(self) -> Standing:
        """Return where the agents are now."""
        cell = self._state.y * self.level.grid.width + self._state.x
        return Standing(cell, look_down(self.level, self.tables, self._state)[1])

    def cause_of_death(self, final_features: Tensor) -> Tensor:
        """Return the first lethal meter that is empty in [num_agents, obs_dim], by index; num_meters for none."""
        final = final_features[:, self.observation_layout.slices["meters"]]
        return cause_of_death(self.level, list(final.unbind(dim=1)))  # a row a meter

    def read_metrics(self) -> dict[str, float]:
        """Means of the meters now; uses of affordances and deaths by meter since the last call; of all shares."""
        means = (self.share.sum(self._state.meters.mean(dim=1)) / self.share.size).tolist()
        uses, deaths = (self.share.sum(counts).tolist() for counts in self._counts)
        self._go_on(counts=self._no_counts())
        level = self.level
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
        self._go_on(EnvState(**state["state"]), Counts(**state["counts"]), state["key"])

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


def _step(step: Callable[..., Advanced], *inputs: Any) -> Advanced:
    """Take a step that leaves bools in bytes, compiled or not."""
    done = step(*inputs)
    return done._replace(result=with_bools(done.result))


def to_numpy(tree: Any) -> Any:
    """Read all tensors in nested tuples as arrays, where they lie if that is this machine's memory."""
    return mapped(lambda part: part.numpy() if part.is_cpu else part.cpu().numpy(), tree)


def repays_compiling(steps: int) -> bool:
    """Whether so many steps of all agents at once repay what compiling takes."""
    return steps >= STEPS_THAT_REPAY_COMPILING
