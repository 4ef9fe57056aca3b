"""Levels: the shipped ones are right, and each mistake of meaning is told with its file, line and key."""

import math
from pathlib import Path

import pytest
import yaml

from townlet.commands import cli
from townlet.config import GymTask, Level, Training, load_gym_task, load_level, load_task, resolved_config
from townlet.level.file import find_level, shipped_levels

PATHS = shipped_levels()
METERS = "energy, hygiene, satiation, money, mood, social, health, fitness"
AFFORDANCES = (
    "Bed, LuxuryBed, Shower, HomeMeal, FastFood, Job, Labor, Gym, Bar, Park, Recreation, Therapist, Doctor, Hospital"
)
CAN_ACT = "WAIT, or both moves along an axis, so that an agent can act in every cell"

# --- the shipped levels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level_id", PATHS)
def test_a_shipped_level_is_right_and_found_by_id_name_and_file_name(
    level_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = PATHS[level_id]
    level = load_level(path)
    assert level.id == level_id
    assert {find_level(reference) for reference in (level.id, level.name, path.stem, str(path))} == {path}
    assert cli.main(["validate", level_id]) == 0
    assert capsys.readouterr().out.startswith(f"{level_id}: level {level_id}, {level.name}, is right: ")


def test_ids_names_and_file_names_of_shipped_levels_do_not_collide() -> None:
    levels = [(load_level(path), path.stem) for path in PATHS.values()]
    owners: dict[str, set[str]] = {}
    for level, stem in levels:
        for word in (level.id, level.name, stem):
            owners.setdefault(word, set()).add(level.id)
    assert {word: ids for word, ids in owners.items() if len(ids) > 1} == {}


# --- mistakes of meaning -----------------------------------------------------------------------------------------

# What is wrong: the level that the file extends, the file from its second line on, and what is said of it.
WRONG: dict[str, tuple[str, str, list[str]]] = {
    "a meter is present that does not exist, another twice": (
        "0",
        "present_meters: [energy, energy, vigour]",
        [
            f"2: present_meters[2]: expected one of {METERS}, got 'vigour'",
            "2: present_meters[1]: expected each name once, got 'energy'",
        ],
    ),
    "nothing can be died of": (
        "0",
        "present_meters: [mood]",
        ["2: present_meters: expected at least one lethal meter, got ['mood']"],
    ),
    "a life begins dead": (
        "0",
        "meters:\n  energy: {initial: 0.0}",
        ["3: meters.energy.initial: expected above 0 for a lethal meter, got 0.0"],
    ),
    "drains of and by unknown meters": (
        "2",
        "drains:\n"
        "  - {meter: vigour, by: fitness, rate: 0.1, at_full: 0.5, at_empty: 1.0}\n"
        "  - {meter: health, by: vim, rate: 0.1, at_full: 0.5, at_empty: 1.0}",
        [
            f"3: drains[0].meter: expected one of {METERS}, got 'vigour'",
            f"4: drains[1].by: expected one of {METERS}, got 'vim'",
        ],
    ),
    "cascades from and to unknown meters": (
        "2",
        "cascades:\n"
        "  groups:\n"
        "    - name: one\n"
        "      pulls:\n"
        "        - {source: vigour, target: energy, strength: 0.1}\n"
        "        - {source: energy, target: vim, strength: 0.1}",
        [
            f"6: cascades.groups[0].pulls[0].source: expected one of {METERS}, got 'vigour'",
            f"7: cascades.groups[0].pulls[1].target: expected one of {METERS}, got 'vim'",
        ],
    ),
    "an affordance costs and affects unknown meters": (
        "0",
        "affordances:\n  Bed:\n    costs: {gold: 0.1}\n    effects: {vigour: 0.1}",
        [
            f"4: affordances.Bed.costs.gold: expected one of {METERS}, got 'gold'",
            f"5: affordances.Bed.effects.vigour: expected one of {METERS}, got 'vigour'",
        ],
    ),
    "rewards for meters that are absent or do not exist": (
        "0",
        "reward:\n"
        "  wellbeing: {mood: 1.0}\n"
        "  interaction: {vigour: 1.0}\n"
        "  potential: {scale: 1.0, meters: {health: {weight: 1.0}}}",
        [
            "3: reward.wellbeing.mood: expected one of energy, got 'mood'",
            "4: reward.interaction.vigour: expected one of energy, got 'vigour'",
            "5: reward.potential.meters.health: expected one of energy, got 'health'",
        ],
    ),
    "no reward for anything": (
        "0",
        "reward: {alive: 0.0, death: 0.0, wellbeing: {energy: 0.0}, milestones: [{every: 5, value: 0.0}]}",
        ["2: reward: expected at least one term that is not 0, got none"],
    ),
    "an unknown affordance is placed, another twice": (
        "0",
        "placed_affordances: [Bed, Bed, Castle]",
        [
            f"2: placed_affordances[2]: expected one of {AFFORDANCES}, got 'Castle'",
            "2: placed_affordances[1]: expected each name once, got 'Bed'",
        ],
    ),
    "more affordances than cells": (
        "2",
        "grid: {width: 2, height: 1}\nplaced_affordances: [Bed, Job, Bar]",
        ["3: placed_affordances: expected at most 2 affordances on a map of 2x1 cells, got 3"],
    ),
    "two affordances on one cell of a fixed map": (
        "0",
        "placed_affordances: [Bed, LuxuryBed]\naffordances:\n  LuxuryBed: {place: [1, 1]}",
        ["4: affordances.LuxuryBed.place: expected a cell of its own, Bed is there, got [1, 1]"],
    ),
    "places beside a fixed map, and none": (
        "0",
        "placed_affordances: [Bed, Shower, Gym]\n"
        "affordances:\n"
        "  Bed: {place: [3, 0]}\n"
        "  Shower: {place: [0, 3]}\n"
        "  Gym: {place: null}",
        [
            "4: affordances.Bed.place: expected x below 3 and y below 3, got [3, 0]",
            "5: affordances.Shower.place: expected x below 3 and y below 3, got [0, 3]",
            "6: affordances.Gym.place: expected a place [x, y], since the layout is fixed, got null",
        ],
    ),
    "a random layout without maps": (
        "0",
        "layout:\n  kind: random\n  training_maps: null",
        [
            "2: layout.evaluation_maps: expected a number of maps for a random layout, got null",
            "4: layout.training_maps: expected a number of maps for a random layout, got null",
        ],
    ),
    "a random layout with more maps than there are": (
        "0",
        "layout: {kind: random, training_maps: 6, evaluation_maps: 4}",
        ["2: layout: expected at most 9 maps in all, for 1 placed on 9 cells, got 6 + 4"],
    ),
    "random layouts of nothing": (
        "0",
        "placed_affordances: []\nlayout: {kind: random, training_maps: 1, evaluation_maps: 1}",
        ["3: layout: expected at most 1 maps in all, for 0 placed on 9 cells, got 1 + 1"],
    ),
    "numbers of maps for a fixed layout": (
        "0",
        "layout: {kind: fixed, training_maps: 5}",
        ["2: layout.training_maps: expected null on a fixed layout, which has one map, got 5"],
    ),
    "an action twice": (
        "3",
        "actions: [UP, DOWN, LEFT, RIGHT, INTERACT, WAIT, UP]",
        ["2: actions[6]: expected each name once, got 'UP'"],
    ),
    "one cell and no WAIT": (
        "0",
        "grid: {width: 1, height: 1}\naffordances: {Bed: {place: [0, 0]}}\nactions: [UP, DOWN, LEFT, RIGHT, INTERACT]",
        [f"4: actions: expected {CAN_ACT}, got UP, DOWN, LEFT, RIGHT, INTERACT"],
    ),
    "a corner without a way out": (
        "0",
        "actions: [UP, RIGHT, INTERACT]",
        [f"2: actions: expected {CAN_ACT}, got UP, RIGHT, INTERACT"],
    ),
    "moves along the axis that has one cell": (
        "0",
        "grid: {width: 1, height: 5}\naffordances: {Bed: {place: [0, 0]}}\nactions: [UP, LEFT, RIGHT, INTERACT]",
        [f"4: actions: expected {CAN_ACT}, got UP, LEFT, RIGHT, INTERACT"],
    ),
    "affordances that nobody can use": (
        "0",
        "actions: [UP, DOWN, WAIT]",
        ["2: actions: expected INTERACT, since affordances are placed, got UP, DOWN, WAIT"],
    ),
    "a weight of an action that the level has not": (
        "0",
        "training:\n  exploration: {action_weights: {WAIT: 2.0}}",
        [
            "3: training.exploration.action_weights.WAIT: expected one of UP, DOWN, LEFT, RIGHT, INTERACT, got 'WAIT'",
        ],
    ),
    "hours outside the day, that never come, or are no time at all": (
        "3",
        "affordances:\n"
        "  Bed: {hours: [8, 25]}\n"
        "  Job: {hours: [24, 4]}\n"
        "  Gym: {hours: [24, 0]}\n"
        "  Bar: {hours: [8, 8]}\n"
        "  Park: {hours: [0, 24]}\n"
        "  Labor: {hours: [23, 0]}",
        [
            f"{line}: affordances.{name}.hours: expected an hour below 24, then another of at most 24, got {hours}"
            for line, name, hours in ((3, "Bed", [8, 25]), (4, "Job", [24, 4]), (5, "Gym", [24, 0]), (6, "Bar", [8, 8]))
        ],
    ),
    "time is observed that does not pass": (
        "2",
        "observation:\n  clock: true\n  progress: true",
        [
            "3: observation.clock: expected false in a level without a day, got true",
            "4: observation.progress: expected false where interactions take one tick, got true",
        ],
    ),
    "numbers of ticks that the world's counters cannot hold": (
        "3",
        "max_steps: 2147483648\naffordances: {Bed: {ticks: 2147483648}}\n"
        "reward: {milestones: [{every: 4294967296, value: 1.0}]}",
        [
            "2: max_steps: expected an integer, at least 1, below 2147483648, got 2147483648",
            "3: affordances.Bed.ticks: expected an integer, at least 1, below 2147483648, got 2147483648",
            "4: reward.milestones[0].every: expected an integer, at least 1, below 2147483648, got 4294967296",
        ],
    ),
    "two kinds of return": (
        "2",
        "training:\n  n_step: 3\n  trace_decay: 0.7",
        ["4: training.trace_decay: expected 0 with n_step over 1: one kind of return, got 0.7"],
    ),
    "returns over more steps than a window has": (
        "2",
        "training: {n_step: 9, trace_decay: 0.0}",
        ["2: training.n_step: expected at most seq_len, 8, got 9"],
    ),
    "a trace through windows of one step": (
        "2",
        "training: {seq_len: 1, trace_decay: 0.5}",
        ["2: training.trace_decay: expected 0 with windows of one step (seq_len is 1), got 0.5"],
    ),
    "double Q without a target network": (
        "2",
        "training: {double_q: true}",
        ["2: training.double_q: expected false without a target network (target_every, target_rate), got true"],
    ),
    "a tape too short for a window and its burn-in": (
        "2-reference",
        "training: {num_agents: 10, mode: {capacity: 139, burn_in: 4}}",  # 8 + 4 + 2 for each of 10 agents
        ["2: training.mode.capacity: expected at least 140: a window of every agent, got 139"],
    ),
    "an encoder of a window that is not observed": (
        "2-reference",
        "observation: {window: null}\nnetwork: {encoder: {kind: spatial}}",
        ["3: network.encoder.kind: expected joint, since no window is observed, got 'spatial'"],
    ),
    "burn-in of no memory": (
        "2-reference",
        "network: {kind: feed_forward, hidden: [8]}\ntraining: {mode: {burn_in: 4}}",
        ["3: training.mode.burn_in: expected 0 for a network without memory, got 4"],
    ),
    "a target network that is copied in both ways": (
        "2-reference",
        "training: {target_rate: 0.01}",
        ["2: training.target_rate: expected null beside target_every: copies are hard or soft, got 0.01"],
    ),
    "directions without offsets to read them from": (
        "2",
        "network: {directions: true}",
        ["2: network.directions: expected false, since no offsets are observed, got true"],
    ),
    "a frontier without a window to see ground through": (
        "2",
        "observation: {window: null}\nnetwork: {frontier: true}",
        ["3: network.frontier: expected false, since it takes a window and a normalised position, got true"],
    ),
    "sightings without a position to note": (
        "2",
        "observation: {position: one_hot}\nnetwork: {sightings: true}",
        ["3: network.sightings: expected false, since it takes offsets or a normalised position, got true"],
    ),
    "the spectral memory as levels once named it": (
        "2",
        "network: {spectral: {lags: 8, keep: 1.0}}",
        [
            "2: network.spectral: expected network.memory: [{kind: spectral, lags: ..., keep: ...}] in its place, got "
            "{lags: 8, keep: 1.0}"
        ],
    ),
    "banks of a memory that nothing steers": (
        "2",
        "network: {memory: [{kind: spectral, lags: 8, keep: 1.0, banks: 2}]}",
        ["2: network.memory[0].banks: expected 1 where turn is fixed, got 2"],
    ),
    "counts of actions that the network does not take": (
        "2",
        "network: {previous_action: false, memory: [{kind: counter, most: 2, of: outcomes}]}",
        ["2: network.memory[0].of: expected all without previous_action, got outcomes"],
    ),
    "neighbours of actions that nothing is counted of": (
        "2",
        "network: {memory: [{kind: counter, most: 2, reach: 1}]}",
        ["2: network.memory[0].reach: expected 0 of all, got 1"],
    ),
    "memories stored where windows do not begin": (
        "2-reference",
        "training:\n  mode: {stored_every: 3, burn_in: 4}",
        [
            "3: training.mode.stored_every: expected a divisor of seq_len, 8, got 3",
            "3: training.mode.stored_every: expected a divisor of burn_in, 4, got 3",
        ],
    ),
    "a memory to begin with for a network without": (
        "1",
        "training: {initial_state: zero}",
        ["2: training.initial_state: expected stored for a network without memory, got zero"],
    ),
    "many mistakes of meaning at once": (
        "3",
        "day_ticks: 12\n"
        "multi_tick: null\n"
        "observation: {progress: true}\n"
        "placed_affordances: [Bed, Castle]\n"
        "drains: [{meter: vigour, by: mood, rate: 0.1, at_full: 0.1, at_empty: 0.1}]\n"
        "actions: [UP, LEFT]\n"
        "layout: {training_maps: 5000}\n"
        "affordances: {Job: {hours: [8, 13]}, Labor: {hours: null}, Bar: {hours: null}, Recreation: {hours: null},\n"
        "  Park: {hours: null}, Therapist: {hours: null}, Doctor: {hours: null}}\n"
        "training: {num_agents: 6, double_q: true, mode: {minibatches: 4},\n"
        "  exploration: {action_weights: {INTERACT: 2.0, WAIT: 1.0}}}",
        [
            "4: observation.progress: expected false where interactions take one tick, got true",
            f"5: placed_affordances[1]: expected one of {AFFORDANCES}, got 'Castle'",
            f"6: drains[0].meter: expected one of {METERS}, got 'vigour'",
            f"7: actions: expected {CAN_ACT}, got UP, LEFT",
            "7: actions: expected INTERACT, since affordances are placed, got UP, LEFT",
            "8: layout: expected at most 4032 maps in all, for 2 placed on 64 cells, got 5000 + 512",
            "9: affordances.Job.hours: expected an hour below 12, then another of at most 12, got [8, 13]",
            "11: training.double_q: expected false without a target network (target_every, target_rate), got true",
            "12: training.exploration.action_weights.INTERACT: expected one of UP, LEFT, got 'INTERACT'",
            "12: training.exploration.action_weights.WAIT: expected one of UP, LEFT, got 'WAIT'",
        ],
    ),
    "keys that lie deeper": (
        "2",
        "gamma: 0.9\nlearning_rat: 0.1\nwindow: 5",
        [
            f"{line}: {key}: expected one of " + ", ".join(["extends", *Level.model_fields])
            + f", got '{key}'; did you mean '{place}'?"
            for line, key, place in (
                (2, "gamma", "training.gamma"), (3, "learning_rat", "training.learning_rate"),
                (4, "window", "observation.window"),
            )
        ],
    ),
    "many mistakes of form at once": (
        "2",
        "max_steps: many\ngrid: {width: 0}\ncolour: red\nlayout: {kind: spiral}\n"
        "training: {gama: 0.9, mode: {kind: fresh, batch_size: 4}}",
        [
            "2: max_steps: expected an integer, at least 1, below 2147483648, got 'many'",
            "3: grid.width: expected an integer, at least 1, at most 64, got 0",
            "4: colour: expected one of " + ", ".join(["extends", *Level.model_fields]) + ", got 'colour'",
            "5: layout.kind: expected one of fixed, random, got 'spiral'",
            "6: training.mode.batch_size: expected one of kind, minibatches, got 'batch_size'",
            "6: training.gama: expected one of " + ", ".join(Training.model_fields)
            + ", got 'gama'; did you mean 'gamma'?",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_told_with_its_line_and_key_and_validate_exits_with_2(
    mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, text, expected = WRONG[mistake]
    path = tmp_path / "wrong.yaml"
    path.write_text(f"extends: {PATHS[base]}\n{text}\n")
    assert cli.main(["validate", str(path)]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"{path}:{line}" for line in expected]
    assert said.out == ""


def test_a_mistake_is_placed_in_the_file_that_it_was_inherited_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "base.yaml").write_text(f"extends: {PATHS['3']}\n\nobservation:\n  clock: true\n")
    child = tmp_path / "levels" / "child.yaml"
    child.parent.mkdir()
    child.write_text("extends: ../base.yaml\nday_ticks: null\n")
    assert cli.main(["validate", str(child)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path / 'base.yaml'}:4: observation.clock: expected false in a level without a day, got true"
    ]


@pytest.mark.parametrize("level_id", ["0", "3"])
def test_what_has_no_place_in_a_level_is_no_mistake(level_id: str, tmp_path: Path) -> None:
    """What acts on an absent meter, and the hours and the place of what is not placed, say nothing and are allowed."""
    path = tmp_path / "level.yaml"
    spare = {"ticks": 2, "costs": {"thirst": 0.1}, "effects": {"thirst": 0.5}, "hours": [0, 1], "place": [9, 9]}
    content = {
        "extends": str(PATHS[level_id]),
        "meters": {"thirst": {"initial": 0.0, "lethal": True}},
        "affordances": {"Well": spare},
    }
    path.write_text(yaml.safe_dump(content))
    assert "thirst" not in load_level(path).present_meters


def test_a_shipped_task_is_found_by_its_id_and_is_no_rung_of_the_ladder():
    task = load_task("memory-length", {"gym_options.memory_length": 12})
    assert isinstance(task, GymTask) and task.gym_options == {"memory_length": 12}
    assert load_task("memory_length").id == "memory-length"
    assert "memory-length" not in shipped_levels()


def test_yardsticks_stay_with_the_world_that_they_were_measured_in(tmp_path):
    town = shipped_levels()["2"]

    def yardsticks(text: str, **overrides: object) -> dict[str, float]:
        (tmp_path / "mine.yaml").write_text(f"extends: {town}\nid: mine\n{text}\n")
        return load_level(tmp_path / "mine.yaml", overrides).yardsticks

    known = {"random": 101.0, "planner": 500.0}
    assert yardsticks("reward: {death: -2.0}\nnetwork: {hidden: 8}\nobservation: {window: 7}") == known
    assert yardsticks("description: mine") == known
    assert yardsticks("placed_affordances: [Bed, Job, Gym]") == {}
    assert yardsticks("placed_affordances: [Bed, Job, Gym]\nyardsticks: {random: 80}") == {
        "random": 80.0,
        "planner": 500.0,
    }
    assert yardsticks("", max_steps=100) == {} and yardsticks("", **{"training.seed": 7}) == known
    assert all(load_level(path).yardsticks for path in shipped_levels().values())


@pytest.mark.parametrize("reference", [*PATHS, "memory-length"])
def test_a_task_that_is_written_is_read_back_as_it_was(reference: str, tmp_path: Path) -> None:
    task = load_task(reference)
    (tmp_path / "config.yaml").write_text(resolved_config(task))
    assert load_task(tmp_path / "config.yaml") == task


@pytest.mark.parametrize("text", ["1e5", "1_000", "0x10", "null", "true", "2026-01-01"])
def test_an_id_that_yaml_reads_as_something_else_stays_a_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "level.yaml").write_text(f"extends: {PATHS['0']}\nid: '{text}'\nname: '{text}'\n")
    level = load_task(tmp_path / "level.yaml")
    (tmp_path / "config.yaml").write_text(resolved_config(level))
    assert (level.id, level.name) == (text, text) and load_task(tmp_path / "config.yaml") == level


def test_options_of_an_environment_keep_their_types(tmp_path: Path) -> None:
    options = {"a": "'1e5'", "b": "1e5", "c": "' 2'", "d": "'1:30'", "e": "['~', {'2': .inf}]", "f": "1.0"}
    task = load_gym_task("module:Ünï😀-v0", overrides={f"gym_options.{name}": text for name, text in options.items()})
    (tmp_path / "config.yaml").write_text(resolved_config(task))
    again = load_task(tmp_path / "config.yaml")
    assert isinstance(again, GymTask) and again.gym == "module:Ünï😀-v0"
    expected = {"a": "1e5", "b": 1e5, "c": " 2", "d": "1:30", "e": ["~", {"2": math.inf}], "f": 1.0}
    assert repr(again.gym_options) == repr(expected)


def test_the_environment_that_is_named_wins_over_the_key() -> None:
    assert load_gym_task("CartPole-v1", overrides={"gym": "Acrobot-v1", "id": "mine"}).gym == "CartPole-v1"


def test_a_memory_that_a_run_said_it_had_not_under_its_former_key_is_not_missed() -> None:
    assert load_level("2", {"network.spectral": "null"}) == load_level("2")
