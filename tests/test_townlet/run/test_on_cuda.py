"""What a level has of its own for a CUDA device: when a run takes it, what is said of it, and what is written down."""

import json
from pathlib import Path

import pytest

from support.rooms import room, write_level
from townlet.config import ConfigError, load_level, resolved_config
from townlet.level.file import shipped_levels
from townlet.run.beginning.asked import Asked, Prepared, prepare
from townlet.run.plan import Wishes, describe

OF_A_GPU = {
    "num_agents": 16, "minibatches": 8, "total_steps": 640, "decay_steps": 600, "learning_rate": 0.5,
    "evaluate_every": 160,
}  # fmt: skip


def asked_for(tmp_path: Path, device: str, said: list[str], level: Path | None = None, **overrides: object) -> Prepared:
    """A training in the room, or in another level, as it is prepared for a device, which need not be there."""
    path = level or write_level(tmp_path, room(on_cuda=OF_A_GPU))
    keys = {key.replace("__", "."): value for key, value in overrides.items()}
    return prepare(Asked(str(path), None, None, None, keys, "run", tmp_path), Wishes(device), said.append, said.append)


def numbers(ready: Prepared) -> tuple[float, ...]:
    training = ready.task.training
    return (
        training.num_agents, training.mode.minibatches, training.total_steps, training.decay_steps,
        training.learning_rate, ready.task.evaluation.every,
    )  # fmt: skip


def test_on_a_cuda_device_a_run_takes_what_its_level_has_for_one_says_so_and_keeps_it(tmp_path):
    said: list[str] = []
    ready = asked_for(tmp_path, "cuda", said)
    assert numbers(ready) == (16, 8, 640, 600, 0.5, 160) and ready.plan.total_steps == 640
    keys = (
        "training.num_agents 16, training.mode.minibatches 8, training.total_steps 640, training.decay_steps 600, "
        "training.learning_rate 0.5, evaluation.every 160"
    )
    assert said == [f"on a CUDA device level room has {keys}; --set KEY=VALUE keeps any of them as you like"]
    with ready.open_folder() as run:
        again = load_level(run.config_path)
        assert again == ready.task and again.on_cuda is None  # the file is the run, wherever it is begun again
        taken = json.loads(run.meta_path.read_text())["on_cuda"]
    assert taken["training.mode.minibatches"] == 8 and len(taken) == 6


def test_on_a_cpu_it_takes_nothing_of_that_and_the_plan_says_what_there_is(tmp_path):
    said: list[str] = []
    ready = asked_for(tmp_path, "cpu", said)
    assert numbers(ready) == (4, 2, 32, 32, 0.001, 32) and said == []
    assert "on cuda   num_agents 16, minibatches 8, total_steps 640, " in describe(ready.task, ready.plan, "cpu")


def test_what_is_asked_for_by_its_key_or_with_the_part_that_holds_it_stays(tmp_path):
    said: list[str] = []
    mode = '{"kind": "fresh", "minibatches": 1}'
    ready = asked_for(tmp_path, "cuda", said, training__num_agents="8", training__mode=mode, evaluation__every=32)
    assert numbers(ready) == (8, 1, 640, 600, 0.5, 32)
    assert said[0].startswith("on a CUDA device level room has training.total_steps 640, training.decay_steps 600, ")


def test_whoever_asks_for_none_of_it_gets_none(tmp_path):
    said: list[str] = []
    ready = asked_for(tmp_path, "cuda", said, on_cuda=None)
    assert numbers(ready) == (4, 2, 32, 32, 0.001, 32) and said == []


def test_a_level_that_extends_another_has_none_of_it(tmp_path):
    base, said = write_level(tmp_path, room(on_cuda=OF_A_GPU)), list[str]()
    other = tmp_path / "other.yaml"
    other.write_text(f"extends: {base.name}\nid: other\n")
    assert numbers(asked_for(tmp_path, "cuda", said, level=other)) == (4, 2, 32, 32, 0.001, 32) and said == []


def test_minibatches_of_replay_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"on_cuda\.minibatches: expected null, since training\.mode\.kind is replay"):
        load_level("2-replay", {"on_cuda": {"minibatches": 8}})


def test_a_config_of_before_there_was_such_a_key_is_read_as_one_without(tmp_path):
    text = resolved_config(load_level("0"))
    assert "\non_cuda: null\n" in text
    old = tmp_path / "config.yaml"
    old.write_text(text.replace("on_cuda: null\n", ""))
    assert load_level(old) == load_level("0")


def test_all_shipped_levels_that_have_some_can_be_trained_by_it(tmp_path):
    levels = {id: path for id, path in shipped_levels().items() if load_level(path).on_cuda is not None}
    assert set(levels) == {"2", "2-sightings"}
    for path in levels.values():
        training = asked_for(tmp_path, "cuda", [], level=path).task.training
        assert (training.num_agents, training.mode.minibatches, training.decay_steps) == (2048, 8, training.total_steps)
