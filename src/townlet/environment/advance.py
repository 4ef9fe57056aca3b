"""One tick of all agents and the reset of those whose episode ended: pure, of fixed shapes, made to be compiled."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from townlet.capture import write
from townlet.config import Level
from townlet.environment.observation import Sight, in_bytes, look, masked
from townlet.environment.rewards import reward
from townlet.environment.rules import Tick, look_underfoot, tick
from townlet.environment.tables import Tables
from townlet.environment.types import Difficulty, EnvState, Observation, StepResult, changed
from townlet.seeding import draw_below, mix

STILL = -1  # the action of no agent: nothing moves, nothing is begun or paid
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
    skipped: Tensor | None = None,
    by_columns: bool = False,
) -> Advanced:
    """One tick of all agents and the reset of those whose episode ended; those who are `skipped` stay as they are.

    With `skipped` an end is shown as it was, and the beginning after it by the tick for which its agent is skipped.
    What is a bool in a StepResult is a byte here, for `with_bools` to read as one where nothing is compiled any more.
    `by_columns`: meters and masks come as tuples, a column a meter and a column an action, so that those of a block of
    agents can be written behind those of the block before.
    """
    if skipped is None:
        done = tick(level, tables, state, actions, difficulty)
    else:
        done = tick(level, tables, state, actions.masked_fill(skipped, STILL), difficulty)
        done = _undone(level, state, done, skipped)
    ended = (done.terminated | done.truncated).int()  # an int32 is stored and read by vectors, a bool is not
    begun = begin_episodes(level, tables, key, state.episode + 1)
    after = _where(ended > 0, begun, done.state)
    put_together = _by_columns if by_columns else masked
    seen = final = put_together(look(level, tables, done.state, done.underfoot))
    paid = reward(level, done, difficulty)
    shared: tuple[Tensor, ...] = (ended, done.completed, done.cause, done.underfoot.cell)
    if skipped is None:
        underfoot = look_underfoot(level, tables, after)
        seen, shared = put_together(look(level, tables, after, underfoot)), (*shared, underfoot.cell)
    else:
        paid = paid.masked_fill(skipped, 0.0)
    result = StepResult(
        observation=seen,
        reward=paid,
        terminated=in_bytes(done.terminated),
        truncated=in_bytes(done.truncated),
        final_features=final.features,
        final_action_mask=final.action_mask,
    )
    if by_columns:
        meters: Any = tuple(map(partial(torch.where, ended > 0), begun.meters.unbind(), done.left))
        after = changed(after, meters=meters)
    return Advanced(after, result, _count(counts, done), shared)


def _by_columns(seen: Sight) -> Observation:
    mask: Any = tuple(map(in_bytes, seen.columns))
    return Observation(seen.features, mask)


def _undone(level: Level, before: EnvState, done: Tick, who: Tensor) -> Tick:
    """The same tick, as if those in `who` [num_agents] bool, who did nothing in it, had not lived it."""
    meters = [torch.where(who, found, left) for found, left in zip(done.found, done.left, strict=True)]
    time = torch.where(who, before.tick, done.state.tick)
    return Tick(
        state=changed(done.state, meters=torch.stack(meters), tick=time),
        terminated=done.terminated & ~who,
        truncated=done.truncated & ~who,
        cause=done.cause.masked_fill(who, len(level.present_meters)),
        found=done.found,
        before=done.before,
        after=done.after,
        left=meters,
        underfoot=done.underfoot,
        completed=done.completed,
    )


def _where(who: Tensor, those: EnvState, others: EnvState) -> EnvState:
    return EnvState(*(torch.where(who, one, other) for one, other in zip(those, others, strict=True)))


def in_place(step: Callable[..., Advanced]) -> Callable[..., Advanced]:
    """Make a step write state and counts where it read them, so that the next one finds them there."""

    def written(key: Tensor, state: EnvState, counts: Counts, *given: Any) -> Advanced:
        done = step(key, state, counts, *given)
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
