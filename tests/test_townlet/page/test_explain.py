"""What the page says that takes from meters is what took from them in recorded lives."""

import base64
import json
from pathlib import Path

import pytest

from node import run_node
from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.replays import CPU, origin_of, play
from townlet.config import load_level
from townlet.page.recorder import Wanted, record
from townlet.population.evaluation import RandomPolicy

TOLD_AGAIN = Path(__file__).parent / "site" / "told_again.mjs"
STORED = 1 / 65535  # a meter's 16 bits: half of it is lost before a tick, half after it
ROUNDED = 8 * 0.5e-6  # causes of one meter in a tick at most, each told in millionths
AGENTS = 6
LOW = {f"meters.{name}.initial": 0.28 for name in ("satiation", "hygiene", "mood", "social")}


@pytest.mark.parametrize("name", ["2", "3"])
def test_losses_told_cause_by_cause_sum_up_to_what_each_recorded_tick_took(name):
    level = load_level(name, {**SMALL_NETWORK, **FEW_MAPS, **LOW, "max_steps": 40})
    noted, _ = play(level, RandomPolicy(2, CPU), AGENTS)
    packed = record(level, network_of(level), noted, Wanted(range(AGENTS), weights=False), origin_of(level))
    done = run_node(str(TOLD_AGAIN), stdin=base64.b64encode(packed).decode())
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kinds"] == ["cost", "drain", "effect", "move", "own", "pull"], "lives in which all of it happens"
    assert told["apart"] < 1.05 * STORED + ROUNDED
