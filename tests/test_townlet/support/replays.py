"""Recordings of small lives, and files that were tampered with."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import torch

from townlet.agent.networks import QNetwork
from townlet.config import Level
from townlet.page.header import Origin
from townlet.page.recorder import Noted, Wanted, record, versions
from townlet.population.evaluation import Evaluator
from townlet.population.lives import GreedyPolicy, Policy

CPU = torch.device("cpu")
SEED = 5


def play(level: Level, policy: Policy, agents: int) -> tuple[Noted, dict[str, Any]]:
    """Play evaluation episodes by a policy; what was noted, and what the evaluation found."""
    noted, evaluator = Noted(), Evaluator(level, agents, SEED, CPU)
    return noted, evaluator.play(policy, note=noted)


def origin_of(level: Level) -> Origin:
    return Origin(seed=SEED, level_seed=level.training.seed, versions=versions())


def recording(level: Level, network: QNetwork, agents: int, **wanted: Any) -> bytes:
    """The file of greedy lives."""
    noted, _ = play(level, GreedyPolicy(network, agents, CPU), agents)
    return record(level, network, noted, Wanted(range(agents), **wanted), origin_of(level))


def opened(packed: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the body of a file, taken apart by hand."""
    inflated = zlib.decompress(packed)
    length = int.from_bytes(inflated[:4], "little")
    return json.loads(inflated[4 : 4 + length]), inflated[4 + length :]


def closed(header: Any, body: bytes) -> bytes:
    """The file that a header, or its text, and a body make."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 4) * 4)
    return zlib.compress(len(text).to_bytes(4, "little") + text + body)


def tampered(packed: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The same file with something changed in its header."""
    header, body = opened(packed)
    change(header)
    return closed(header, body)
