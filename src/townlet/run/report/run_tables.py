"""What the page of one run says in words and tables."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePath
from urllib.parse import quote
from xml.etree.ElementTree import Element

from townlet.run.report.differences import from_defaults
from townlet.run.report.markup import Content, bar, duration, element, folded, pairs, short, spoken, table
from townlet.run.report.record import Record, best_checkpoint
from townlet.run.report.series import mean_of, mean_rate, per_step

EARLY, LATE = (0.0, 0.1), (0.9, 1.0)  # shares of a run's records
FACTS = (
    ("townlet", "Townlet"), ("torch", "PyTorch"), ("python", "Python"), ("numpy", "NumPy"), ("git_commit", "commit"),
    ("platform", "system"), ("cpu", "processor"), ("cpu_count", "cores"), ("threads", "threads"),
    ("cuda_devices", "CUDA devices"), ("device", "device"), ("seed", "seed"), ("started", "started"), ("run", "id"),
)  # fmt: skip


def head(record: Record) -> list[Element]:
    """The title, what the level is, and the figures that matter most."""
    task, score = record.task, record.task.score
    asked = task.training.total_steps
    where = f"seed {task.training.seed}, {task.training.num_agents:,} agents, run {record.path.name}"
    goes = f"{record.step:,} steps" + (f" of {asked:,}" if record.step < asked else "")
    return [
        element("p", f"{where}: {goes}, {duration(record.seconds)}", class_="over"),
        element("h1", f"Level {task.id}: {task.title}"),
        element("p", task.description),
        element("ul", *(_tile(*tile) for tile in _tiles(record)), class_="tiles"),
        element("p", _sentence(record) or f"No evaluation yet: {score.word} is told from the first one on."),
    ]


def _tile(name: str, value: str, beside: str) -> Element:
    return element("li", element("span", name), element("strong", value), element("small", beside))


def _tiles(record: Record) -> Iterator[tuple[str, str, str]]:
    score, evaluations = record.task.score, record.evaluations
    if evaluations and isinstance(found := evaluations[-1].get(score.key), int | float):
        of = f"of {score.limit}" if score.limit is not None else f"on {score.unseen}"
        yield f"greedy {score.word}", f"{found:.1f}" if score.limit is not None else f"{found:.3g}", of
    if len(gap := record["memory/ablation_gap"].values):
        yield "memory is worth", f"{gap[-1]:+.4g}", f"{score.word} lost without it"
    rollout = mean_of(record[score.rollout], *LATE)
    if math.isfinite(rollout):
        yield f"{score.word} in training", short(rollout), "over the last tenth"
    if math.isfinite(died := 1.0 - mean_of(record["rollout/survival_rate"], *LATE)) and record.named("deaths/"):
        yield "episodes that end in death", f"{100 * died:.3g}%", "over the last tenth"
    if math.isfinite(speed := mean_rate(record["time/fps"])):
        yield "steps a second", f"{speed:,.0f}", "in training, on average"


def _sentence(record: Record) -> str:
    """The last evaluation in words."""
    if not record.evaluations:
        return ""
    last, score = record.evaluations[-1], record.task.score
    if not isinstance(last.get(score.key), int | float):
        return ""
    known = ", ".join(f"{name} {value:g}" for name, value in record.task.yardsticks.items())
    beside = f" Known of this level: {known}." if known else ""
    gap = last.get("memory_ablation_gap")
    without = (
        f" With its memory zeroed before each step it comes to {last[score.key] - gap:.4g}." if gap is not None else ""
    )
    said = f"After {last['step']:,} steps, {last['episodes']} greedy episodes on {score.unseen}: {score.word}"
    return f"{said} {score.tell(last)}.{without}{beside}"


def constants(record: Record) -> list[Element]:
    """What stayed as it was throughout, in place of a flat line."""
    epsilon = record["train/epsilon"]
    if not epsilon.flat:
        return []
    share = f"{100 * float(epsilon.values[0]):.3g}% of actions were random (epsilon), from the first step to the last."
    return [element("p", share, class_="note")]


def uses(record: Record) -> list[Element]:
    """How often each place is used in training, at first and now."""
    rates = {name: per_step(one, 100.0) for name, one in record.named("affordance/", "_uses").items()}
    then = {name: mean_of(one, *EARLY) for name, one in rates.items()}
    now = {name: mean_of(one, *LATE) for name, one in rates.items()}
    most = max([1e-9, *(one for one in (*then.values(), *now.values()) if math.isfinite(one))])
    rows: list[list[Content]] = [
        [spoken(name), short(then[name]), short(now[name]), bar(now[name] / most, then[name] / most)]
        for name in sorted(now, key=lambda name: -now[name])
    ]
    if not rows:
        return []
    heads = ["place", "first tenth", "last tenth", "last (bar), first (mark)"]
    return [table(heads, rows, "Uses in training, in 100 steps of an agent")]


def evaluations(record: Record) -> list[Element]:
    """Every evaluation, the newest first."""
    score, causes = record.task.score, list(dict.fromkeys(c for e in record.evaluations for c in e.get("deaths") or {}))
    heads = ["steps", score.word, "standard deviation", "reward", "lived to the limit", "memory gap"]
    heads += map(spoken, causes)
    spread = "std_ep_length" if score.key == "mean_ep_length" else "std_reward"
    keys = (score.key, spread, "mean_reward", "survival_rate", "memory_ablation_gap")
    rows = [
        [
            f"{one['step']:,}",
            *(_number(one.get(key)) for key in keys),
            *(_number((one.get("deaths") or {}).get(c)) for c in causes),
        ]
        for one in reversed(record.evaluations)
    ]
    kept = [index for index in range(len(heads)) if index == 0 or any(row[index] != "-" for row in rows)]
    shown = [[row[index] for index in kept] for row in rows]
    return (
        [table([heads[index] for index in kept], shown, f"On {score.unseen}; the last columns count deaths")]
        if rows
        else []
    )


def _number(value: object) -> str:
    return short(float(value)) if isinstance(value, int | float) else "-"


def configuration(record: Record) -> list[Element]:
    """What differs from the level as it is shipped, and all of it."""
    changed = from_defaults(record.task)
    if changed is None:
        told = element("p", "This level is not one of those that are shipped: there is nothing to compare it with.")
    elif changed:
        told = table(
            ["setting", "shipped", "here"],
            [list(row) for row in changed],
            "What differs from the level as shipped",
            "words",
        )
    else:
        told = element("p", "Nothing differs from the level as it is shipped.")
    return [told, folded("The whole configuration", element("pre", record.config, tabindex="0"))]


def repeat(record: Record) -> list[Element]:
    """The command, and what it ran on."""
    meta, made = record.meta, list[Element]()
    if command := _command(meta.get("command")):
        made += [element("p", "It was begun by"), element("pre", command, class_="command", tabindex="0")]
    again = f"python -m townlet.train --level {shlex.quote(str(record.path / 'config.yaml'))}"
    made += [
        element("p", "and the same configuration is trained again, whatever its flags were, by"),
        element("pre", again, class_="command", tabindex="0"),
    ]
    rows = [(word, _fact(meta[key])) for key, word in FACTS if meta.get(key) not in (None, "", [])]
    if meta.get("git_dirty"):
        rows.append(("changes", "the source had some that no commit holds"))
    return [*made, pairs(rows)] if rows else made


def _fact(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _command(words: object) -> str:
    """A command line as a person types it."""
    if not isinstance(words, list) or not words:
        return ""
    first, *arguments = map(str, words)
    program = {"train.py": "python -m townlet.train", "cli.py": "townlet"}.get(
        PurePath(first).name, PurePath(first).name
    )
    return " ".join([program, *map(shlex.quote, arguments)])


def files(record: Record, folder: Path) -> list[Element]:
    """Links from a page in `folder` to what lies in the run's folder."""
    best, made = best_checkpoint(record.path), list[tuple[str, Element]]()
    for kind, paths in record.files.items():
        links = [element("a", PurePath(path).name, href=_address(record.path / path, folder)) for path in paths]
        for link, path in zip(links, paths, strict=True):
            link.tail = (" (best)" if best and path.endswith(best) else "") + (", " if path != paths[-1] else "")
        if links:
            made.append((kind, element("span", *links)))
    return [pairs(made)] if made else []


def _address(path: Path, folder: Path) -> str:
    """An address relative to a folder that names a file and nothing else, whatever the file is called."""
    return "./" + quote(Path(os.path.relpath(path, folder)).as_posix())
