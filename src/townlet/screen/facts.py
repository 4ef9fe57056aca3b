"""How a run stands, in numbers, and how numbers are written."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RunHeader:
    """Hold what does not change during a run."""

    level: str
    device: str
    num_agents: int
    seed: int
    total_steps: int  # environment steps summed over agents
    max_episode_steps: int | None  # the greatest score, None where nobody knows it
    parameters: int
    run_path: str
    yardsticks: Mapping[str, float]  # mean score of known policies, by name
    score: tuple[str, str, str] = ("survival", "rollout/ep_len_mean", "eval/mean_ep_length")  # a word, and its metrics

    def score_fields(self) -> tuple[tuple[str, str, str], ...]:
        """Return label, metric and format of what says how well agents do."""
        word, rollout, greedy = self.score
        end = "survived" if word == "survival" else "time limit"
        return (
            ("mean", rollout, ".1f"),
            (end, "rollout/survival_rate", ".0%"),
            ("greedy", greedy, ".1f"),
            ("memory gap", "memory/ablation_gap", "+.1f"),
        )


@dataclass(frozen=True)
class Snapshot:
    """Hold how the run stands: environment steps summed over agents, seconds, and the newest metrics by name."""

    step: int = 0
    elapsed: float = 0.0
    steps_per_second: float = 0.0
    time_split: Mapping[str, float] = field(default_factory=dict)  # shares of the time, what is missing to 1 is "other"
    metrics: Mapping[str, float] = field(default_factory=dict)


def told_early(header: RunHeader, snapshot: Snapshot) -> str:
    """Return what to tell behind survival while no episode can have reached its limit, else nothing.

    Only those that ended early have ended by then, and their mean says little of those that go on.
    """
    limit, known = header.max_episode_steps, header.score[1] in snapshot.metrics
    return " (early ends)" if limit is not None and known and snapshot.step < limit * header.num_agents else ""


def percent_done(header: RunHeader, snapshot: Snapshot) -> int:
    """Return the whole percents of the steps done, 100 only at the end."""
    return min(100 * snapshot.step // max(header.total_steps, 1), 100)


def seconds_left(header: RunHeader, snapshot: Snapshot) -> float:
    """Return the seconds that the other steps take at the present rate, infinity while there is none."""
    steps_left = max(header.total_steps - snapshot.step, 0)
    return steps_left / snapshot.steps_per_second if snapshot.steps_per_second > 0 else math.inf


def format_duration(seconds: float) -> str:
    """Return m:ss, from an hour on h:mm:ss, from a day on with the days in front; a dash for what is not finite."""
    if not math.isfinite(seconds):
        return "-"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{days:,}d {clock}" if days else clock


def format_metric(metrics: Mapping[str, float], name: str, spec: str) -> str:
    """Return the metric in the format `spec`, a dash where it is missing."""
    return format(metrics[name], spec) if name in metrics else "-"


def format_count(value: float) -> str:
    """Return a count in at most six characters up to 999T: 12,345 or 1.23M."""
    if not abs(value) >= 99_999.5:
        return f"{value:,.0f}"
    for unit in ("k", "M", "B"):
        value /= 1000
        if abs(value) < 999.5:
            return f"{value:.3g}{unit}"
    return f"{value / 1000:.3g}T"
