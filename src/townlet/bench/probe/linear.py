"""Does the memory of an agent hold a map? Linear probes from the hidden state to the place of each affordance.

Probes are fitted on the maps of training and asked on the maps of evaluation, which share none, and only about
affordances that the agent has stood on in this episode: before that nobody can know which is which. Each age of a sight
has probes of its own, so that a memory may code old things and new ones in different ways. They name the place in two
frames: the cell of the map, and the offset from the agent.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from townlet.agent.networks import QNetwork, make_network
from townlet.bench.probe.sights import Sampling, Sights, collect
from townlet.config import Level
from townlet.environment.layout import lay_out
from townlet.seeding import stream_seed

# Bins of ticks; both ends belong to them.
AGES: dict[str, tuple[float, float]] = {
    "0": (0, 0), "1-5": (1, 5), "6-10": (6, 10), "11-25": (11, 25), "26-50": (26, 50), "51-100": (51, 100),
    "101+": (101, math.inf),
}  # fmt: skip
FRAMES = ("cell", "offset")
SIGHTS = ("underfoot", "window")
SHRINKAGES = (0.001, 0.01, 0.1, 0.3)
VALIDATION_SHARE = 4  # every fourth map of those that a probe is fitted on chooses its shrinkage
FEWEST_SAMPLES = 50  # to fit on; an affordance with fewer in a bin is left out of that bin


class ProbeError(Exception):
    """A probe would say nothing of this agent; the message is one line."""


class Probe(NamedTuple):
    """Linear discriminants for several targets over the same inputs."""

    mean: Tensor  # [width] of the inputs
    scale: Tensor  # [width]: what the inputs are divided by
    weights: Tensor  # [targets, width, classes]
    bias: Tensor  # [targets, classes], -inf for classes that were never met

    def name(self, inputs: Tensor) -> Tensor:
        """Return the likeliest class of each target, inputs [samples, width] to [samples, targets] int64."""
        scaled = (inputs.double() - self.mean) / self.scale
        return (torch.einsum("sw,twc->stc", scaled, self.weights) + self.bias).argmax(dim=2)


class Score(NamedTuple):
    """One number of the result, over the samples of one bin."""

    frame: str  # cell or offset
    sight: str  # what the age counts from: underfoot or window
    source: str  # what the probe read
    affordance: str | None  # None for all of them, every sample counting once
    age: str  # bin of ticks
    samples: int
    accuracy: float  # share of samples where the very cell was named
    error: float  # standard error of the accuracy; the samples of one agent count as one draw
    distance: float  # mean moves from the named cell to the true one


class ProbeResult(NamedTuple):
    """All scores of a probe; bins without a sample have none."""

    level: str
    sampling: Sampling
    sources: tuple[str, ...]
    scores: tuple[Score, ...]

    def curve(self, frame: str, sight: str, source: str, affordance: str | None = None) -> dict[str, Score]:
        """Return scores by age."""
        wanted = (frame, sight, source, affordance)
        return {score.age: score for score in self.scores if score[:4] == wanted}


def probe(
    level: Level,
    network: QNetwork,
    sampling: Sampling | None = None,
    device: torch.device | str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> ProbeResult:
    """Play, fit and ask; says through `report` what it is at.

    Raises ProbeError for a network without memory, for a level with a single map, and where agents saw too little.
    """
    sampling = sampling or Sampling()
    _check(level, network, sampling)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(sampling.seed, "untrained"))
        untrained = make_network(level.network, lay_out(level), len(level.actions)).to(device)
    report(f"playing {sampling.agents} episodes on maps of training")
    known = collect(level, network, untrained, sampling, "training", device)
    report(f"playing {sampling.agents} episodes on maps of evaluation")
    unknown = collect(level, network, untrained, sampling, "evaluation", device)
    report(f"fitting probes on {len(known.agent)} samples, asking them on {len(unknown.agent)}")
    scores = tuple(ask(level, known, unknown))
    if not scores:
        raise ProbeError(
            f"expected places that {FEWEST_SAMPLES} samples have seen, got none: play more agents or ticks"
        )
    return ProbeResult(level.id, sampling, tuple(known.readings), scores)


def _check(level: Level, network: QNetwork, sampling: Sampling) -> None:
    if not network.initial_hidden(1):
        raise ProbeError("expected a network with memory, got one without")
    if level.layout.kind != "random":
        raise ProbeError(f"expected a level with random maps, got a {level.layout.kind} one, to be known by heart")
    if (ticks := min(sampling.ticks, level.max_steps)) < sampling.every:
        raise ProbeError(f"expected at least {sampling.every} ticks, as many as between two samples, got {ticks}")


def ask(level: Level, known: Sights, unknown: Sights) -> Iterator[Score]:
    """Fit probes on `known`, ask them on `unknown`, and yield the scores of all affordances together and of each."""
    for sight in SIGHTS:
        for age, bounds in AGES.items():
            old, new = _of_age(known, sight, bounds), _of_age(unknown, sight, bounds)
            misses = {}
            for affordance, name in enumerate(level.affordances):
                fitting, asked = known.rows(old[:, affordance]), unknown.rows(new[:, affordance])
                if int((~_held(fitting)).sum()) >= FEWEST_SAMPLES and len(asked.agent):
                    misses[name] = asked.agent, _misses(level, fitting, asked, affordance)
            yield from _scores(misses, sight, age)


def fit_probe(inputs: Tensor, targets: Tensor, held: Tensor, classes: int) -> Probe:
    """Fit linear discriminants with a shrunk covariance (Friedman, 1989), shrunk as does best on held samples.

    inputs [samples, width]; targets [samples, num_targets] int64 in [0, classes); held [samples] bool: not fitted on.
    Least squares on one-hot classes would hide the middle ones of an ordered code (Hastie et al., 2009, section 4.2);
    discriminants do not, and are as quick. Raises ValueError where no sample is left to fit.
    """
    if bool(held.all()):
        raise ValueError(f"held: expected some of {len(held)} samples to be free, got none")
    inputs, free = inputs.double(), ~held
    mean = inputs[free].mean(dim=0)
    scale = (inputs[free] - mean).square().mean(dim=0).sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    scaled, member = (inputs[free] - mean) / scale, _one_hot(targets[free], classes)
    count = member.sum(dim=0)  # [targets, classes]
    centre = torch.einsum("stc,sw->twc", member, scaled) / count.clamp(min=1.0).unsqueeze(1)
    between = (centre * count.unsqueeze(1)) @ centre.transpose(1, 2)
    within = (scaled.t() @ scaled - between) / len(scaled)  # [targets, width, width]
    prior = (count / len(scaled)).log()
    identity = torch.eye(len(mean), dtype=within.dtype, device=within.device)
    candidates = []
    for shrinkage in SHRINKAGES:
        weights = torch.cholesky_solve(centre, torch.linalg.cholesky((1.0 - shrinkage) * within + shrinkage * identity))
        candidates.append(Probe(mean, scale, weights, prior - 0.5 * (centre * weights).sum(dim=1)))
    right = torch.stack([(one.name(inputs[held]) == targets[held]).double().sum(dim=0) for one in candidates])
    best, target = right.argmax(dim=0), torch.arange(targets.shape[1], device=targets.device)
    weights, bias = (torch.stack(parts) for parts in zip(*(one[2:] for one in candidates), strict=True))
    return Probe(mean, scale, weights[best, target], bias[best, target])


def _one_hot(targets: Tensor, classes: int) -> Tensor:
    return torch.nn.functional.one_hot(targets, classes).double()  # [samples, targets, classes]


def _held(sights: Sights) -> Tensor:
    """Which samples choose the shrinkage, whole maps at a time, [samples] bool."""
    return sights.map_index % VALIDATION_SHARE == 0


def _of_age(sights: Sights, sight: str, bounds: tuple[float, float]) -> Tensor:
    """Which samples know the kind of which affordance, and have seen it that long ago, [samples, num_affordances]."""
    age = sights.underfoot_age if sight == "underfoot" else sights.window_age
    return (sights.underfoot_age >= 0) & (age >= bounds[0]) & (age <= bounds[1])


def _misses(level: Level, fitting: Sights, asked: Sights, affordance: int) -> dict[tuple[str, str], Tensor]:
    """Moves from the named to the true cell by frame and source, each [samples] int64; 0 is right."""
    size = torch.tensor([level.grid.width, level.grid.height], device=asked.own.device)
    place, true = fitting.place[:, affordance], asked.place[:, affordance]
    targets = torch.cat([place, place - fitting.own + size - 1], dim=1)  # [samples, 4], from 0 on
    found = {}
    for source, reading in fitting.readings.items():
        fitted = fit_probe(reading, targets, _held(fitting), classes=2 * int(size.max()) - 1)
        named = fitted.name(asked.readings[source])
        found["cell", source] = (named[:, :2] - true).abs().sum(dim=1)
        found["offset", source] = (named[:, 2:] - size + 1 + asked.own - true).abs().sum(dim=1)
    return found


def _scores(misses: dict[str, tuple[Tensor, dict[tuple[str, str], Tensor]]], sight: str, age: str) -> Iterator[Score]:
    """Yield the scores of one bin from agents and misses by affordance."""
    for frame, source in next(iter(misses.values()))[1] if misses else ():
        each: dict[str | None, tuple[Tensor, Tensor]] = {
            name: (agent, miss[frame, source]) for name, (agent, miss) in misses.items()
        }
        together = tuple(torch.cat(parts) for parts in zip(*each.values(), strict=True))
        for name, (agent, miss) in {None: (together[0], together[1]), **each}.items():
            yield Score(frame, sight, source, name, age, len(miss), *_measure(agent, miss))


def _measure(agent: Tensor, miss: Tensor) -> tuple[float, float, float]:
    """Accuracy, its standard error with agents as clusters (Liang and Zeger, 1986), and mean distance."""
    right = (miss == 0).double()
    accuracy = right.mean()
    surplus = torch.zeros(int(agent.max()) + 1, dtype=right.dtype, device=right.device)
    surplus.index_add_(0, agent, right - accuracy)  # of each agent, over all its samples
    error = surplus.square().sum().sqrt() / len(right)
    return float(accuracy), float(error), float(miss.double().mean())
