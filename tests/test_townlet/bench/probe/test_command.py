"""The command line of the probe: runs and checkpoints, what is written and printed, and what is refused."""

import json

import pytest
import torch

from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from townlet.bench.probe import command
from townlet.bench.probe.linear import ProbeError
from townlet.bench.probe.sights import Sampling
from townlet.config import load_level, resolved_config
from townlet.run.saving import checkpoint

FEW = ["--agents", "96", "--ticks", "24", "--every", "2", "--device", "cpu"]


def run_probe(*words):
    return command.main([*FEW, "--probe", *map(str, words)])


def made_run(path, level):
    facts = {"level": level.id, "seed": level.training.seed}
    for step, score in ((8, 1.0), (16, 0.5)):
        # How far agents walk, and what there is to ask, hangs on their weights.
        weights = network_of(level, seed=step).state_dict()
        checkpoint.save(path / "checkpoints", step, weights, {}, best_score=score, facts=facts)
    (path / "config.yaml").write_text(resolved_config(level))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made_run(tmp_path_factory.mktemp("run"), load_level("2", SMALL_NETWORK))


def test_a_run_gets_tables_json_and_a_picture(run, capsys):
    assert run_probe(run) == 0
    printed = capsys.readouterr()
    assert "cell of the map" in printed.out and "playing 96 episodes" in printed.err
    found = json.loads((run / "memory_probe.json").read_text())
    assert found["sampling"] == {"agents": 96, "ticks": 24, "every": 2, "recent": 8, "epsilon": 0.0, "seed": 0}
    assert (run / "memory_probe.png").read_bytes().startswith(b"\x89PNG")


def test_a_checkpoint_is_named_by_its_folder_or_within_its_run(run, monkeypatch):
    """The best is the one of step 8; the other has weights of its own."""
    asked = []

    def probe(level, network, sampling, device, report):
        asked.append([part.tolist() for part in network.state_dict().values()])
        raise ProbeError("asked")

    monkeypatch.setattr(command, "probe", probe)
    for words in ([run], [run / "checkpoints" / "step_000000008"], [run / "checkpoints" / "step_000000016"],
                  [run, "--checkpoint", "latest"]):  # fmt: skip
        assert run_probe(*words) == 1
    assert asked[0] == asked[1] != asked[2] == asked[3]


def test_answers_are_of_the_weights_and_are_printed_as_json_where_that_is_asked_for(run, tmp_path, capsys):
    printed = []
    for name in ("best", "latest"):
        assert run_probe(run, "--checkpoint", name, "--json", "--out", tmp_path / "out") == 0
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0] != printed[1]
    assert json.loads((tmp_path / "out" / "memory_probe.json").read_text()) == printed[1]


def test_the_network_is_asked_on_the_device_and_as_often_as_is_asked_for(run, monkeypatch):
    asked = []

    def probe(level, network, sampling, device, report):
        asked.append((sampling, str(device)))
        raise ProbeError("asked")

    monkeypatch.setattr(command, "probe", probe)
    assert run_probe(run.name, "--runs-dir", run.parent, "--recent", "3", "--epsilon", "0.5", "--seed", "4") == 1
    assert asked == [(Sampling(agents=96, ticks=24, every=2, recent=3, epsilon=0.5, seed=4), "cpu")]
    monkeypatch.setattr(command, "trained_network", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert run_probe(run, "--device", "cuda") == 1
    assert asked[1][1] == "cuda"


def test_what_cannot_be_probed_is_one_line(tmp_path, capsys):
    plain = made_run(tmp_path / "plain", load_level("1", {"network.hidden": [8]}))
    assert run_probe(plain) == 1
    assert capsys.readouterr().err == "townlet bench memory: expected a network with memory, got one without\n"
    assert run_probe("nowhere", "--runs-dir", tmp_path / "none") == 1
    assert capsys.readouterr().err.startswith("townlet bench memory: no run 'nowhere'")
    few = load_level("2", {**SMALL_NETWORK, **FEW_MAPS, "max_steps": 2})
    assert run_probe(made_run(tmp_path / "few", few)) == 1
    assert "expected places that 50 samples have seen, got none" in capsys.readouterr().err
