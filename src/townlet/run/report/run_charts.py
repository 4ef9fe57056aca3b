"""The charts of one run: what its agents learned, how they lived, and how fast that went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from townlet.config import Score
from townlet.run.report.chart import Chart, Curve, with_trend, yardsticks_of
from townlet.run.report.markup import spoken
from townlet.run.report.record import Record
from townlet.run.report.series import Series, smooth, thin

BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, GREY = range(7)  # of the page's palette
COLOURS = 7
LIMIT_REACHED = "lived to the limit"


def score_chart(record: Record, score: Score) -> Chart:
    """The score in training and in greedy evaluations, between what is known."""
    unit = "steps of an episode" if score.limit is not None or score.key == "mean_ep_length" else "return of an episode"
    curves = with_trend("in training", record[score.rollout], BLUE)
    curves.append(Curve("greedy, evaluated", record[f"eval/{score.key}"], ORANGE, "dots"))
    known = yardsticks_of(record.task.yardsticks, score)
    says = f"Evaluations play without exploring, on {score.unseen}."
    return Chart(score.word.capitalize(), unit, curves, says, known, least=0.0 if score.limit is not None else None)


def learning_charts(record: Record) -> Iterator[Chart]:
    """What is learned. An epsilon that stays as it is needs no chart."""
    score = record.task.score
    yield score_chart(record, score)
    says = f"Greedy {score.word} with memory less that with memory zeroed before each step."
    gap = [Curve("gap", record["memory/ablation_gap"], GREEN, "dots")]
    yield Chart("What memory is worth", score.word, gap, says, {"no gain": 0.0})
    losses = [*with_trend("loss", _positive(record["train/loss"]), BLUE)]
    losses += with_trend("TD error", _positive(record["train/td_error"]), ORANGE)
    yield Chart("Loss and TD error", "on a log scale", losses, "How wrong the network was of what came next.", log=True)
    values = with_trend("mean Q", record["train/q_mean"], BLUE)
    yield Chart("Values", "discounted reward", values, "What the network expects of a step and all that follows.")
    if score.key != "mean_reward":
        rewards = with_trend("in training", record["rollout/ep_rew_mean"], BLUE)
        rewards.append(Curve("greedy, evaluated", record["eval/mean_reward"], ORANGE, "dots"))
        yield Chart("Reward of an episode", "sum over its steps", rewards)
    if not record["train/epsilon"].flat:
        epsilon = [Curve("epsilon", thin(record["train/epsilon"]), PURPLE)]
        yield Chart("Exploration", "share of random actions", epsilon, least=0.0, most=1.0)


def course_charts(record: Record) -> Iterator[Chart]:
    """A curriculum and a curiosity, where there are some."""
    stages = record.named("curriculum/agents_in_stage_")
    shares = [Curve(f"stage {name}", thin(one), int(name) % COLOURS, "area") for name, one in stages.items()]
    yield Chart("Agents by stage", "agents", shares, stacked=True, least=0.0)
    yield Chart("Mean stage", "stage", with_trend("stage", record["curriculum/stage"], BLUE))
    novelty = with_trend("intrinsic reward", record["curiosity/intrinsic_mean"], PURPLE)
    yield Chart("Curiosity", "mean of a step", novelty, "The reward for what is new.")
    weight = record["curiosity/weight"]
    if not weight.flat:
        yield Chart("Weight of curiosity", "factor", [Curve("weight", thin(weight), PURPLE)], least=0.0)


def endings(record: Record) -> dict[str, Series]:
    """Of the episodes that ended between two records, the share of each end: each cause of death, and the limit.

    Deaths are counted by cause, the share that lived is recorded; what is left goes to the causes by their counts.
    """
    deaths, lived = record.named("deaths/"), record["rollout/survival_rate"]
    by_step: dict[float, dict[str, float]] = {}
    for name, one in deaths.items():
        for step, count in zip(one.steps.tolist(), one.values.tolist(), strict=True):
            by_step.setdefault(step, {})[name] = count
    rows = [
        (step, by_step[step], share)
        for step, share in zip(*map(np.ndarray.tolist, lived), strict=True)
        if step in by_step
    ]
    if not rows:
        return {}
    steps = np.array([step for step, _, _ in rows])
    shares = {
        name: [(1.0 - share) * counts.get(name, 0.0) / max(sum(counts.values()), 1.0) for _, counts, share in rows]
        for name in deaths
    }
    parts = {name: np.array(values) for name, values in shares.items()} | {
        LIMIT_REACHED: np.array([row[2] for row in rows])
    }
    return {name: Series(steps, values) for name, values in parts.items()}


def life_charts(record: Record) -> Iterator[Chart]:
    """How lives end, and how agents are meanwhile."""
    ends = endings(record)
    colours = _colours([name for name in ends if name != LIMIT_REACHED], (ORANGE, PURPLE, AMBER, BLUE, SKY, GREY))
    curves = [Curve(spoken(name), _percent(one), colours.get(name, GREEN), "area") for name, one in ends.items()]
    says = "Of the episodes that ended in training, by what ended them."
    yield Chart("How lives end", "% of episodes", curves, says, stacked=True, least=0.0, most=100.0)


def meter_charts(record: Record) -> Iterator[Chart]:
    """The mean of each meter over the agents."""
    for name, one in record.named("meters/", "_mean").items():
        curves = with_trend(spoken(name), one, BLUE)
        yield Chart(spoken(name), "mean of all agents", curves, least=0.0, most=1.0, small=True)


def speed_charts(record: Record) -> Iterator[Chart]:
    """Steps a second, and where the time went."""
    yield Chart(
        "Speed", "environment steps a second", with_trend("steps a second", record["time/fps"], BLUE), least=0.0
    )
    shares = record.named("time/", "_share")
    named = enumerate((spoken(name), _percent(one)) for name, one in shares.items())
    curves = [Curve(name, one, index % COLOURS, "area") for index, (name, one) in named]
    says = "Of each second, what choosing actions, the world, the memory of steps and the updates took."
    yield Chart("Where the time goes", "% of the time", curves, says, stacked=True, least=0.0, most=100.0)


def _percent(one: Series) -> Series:
    return thin(smooth(Series(one.steps, 100.0 * one.values)), 200)


def _positive(one: Series) -> Series:
    return Series(one.steps[one.values > 0], one.values[one.values > 0])


def _colours(names: list[str], colours: tuple[int, ...]) -> Mapping[str, int]:
    return {name: colours[index % len(colours)] for index, name in enumerate(names)}
