"""`townlet export`: what lies in the folder, that every command takes it as it takes a run, and what is refused."""

import errno
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import yaml
from PIL import Image

import townlet
from support.rooms import room, saved, write_level
from townlet import evaluate, train
from townlet.commands import cli
from townlet.config import load_task, resolved_config
from townlet.page.replay import read
from townlet.run.saving import checkpoint

QUIET = ["--plain", "--device", "cpu"]
OLD = Path(__file__).parent / "old"  # what an earlier version wrote, as it wrote it


def export(*words, code=0):
    try:
        assert cli.main(["export", *map(str, words), "--device", "cpu"]) == code
    except SystemExit as stopped:
        assert stopped.code == code


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The run's newest checkpoint, in a folder of its own."""
    folder = tmp_path_factory.mktemp("hub") / "agent"
    export(run, "--out", folder, "--episodes", "6")
    return folder


@pytest.fixture
def changed(exported, tmp_path):
    """Copies the folder, with keys of its manifest replaced."""

    def change(**keys):
        folder = shutil.copytree(exported, tmp_path / "changed")
        manifest = json.loads((folder / "policy.json").read_text())
        (folder / "policy.json").write_text(json.dumps(manifest | keys))
        return folder

    return change


def figures(capsys, reference, *flags):
    capsys.readouterr()
    assert evaluate.main([str(reference), "--json", "--episodes", "6", "--device", "cpu", *flags]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, word, *words, code):
    """What a command says on its one line of error."""
    capsys.readouterr()
    assert cli.main([word, *map(str, words)]) == code
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    return said.err.rstrip("\n")


def test_a_folder_holds_weights_level_versions_figures_and_a_picture(run, exported, capsys):
    manifest, found = json.loads((exported / "policy.json").read_text()), saved(run, 32)
    assert (manifest["format"], manifest["step"], manifest["level"]) == ("townlet-policy/1", 32, "room")
    assert manifest["run"] == {"name": "run", "id": found.manifest["facts"]["run"], "checkpoint": "step_000000032"}
    assert manifest["interface"] == {
        "observation": [["window", 9], ["position", 2], ["meters", 2], ["underfoot", 3]], "actions": [4]
    }  # fmt: skip
    weights = safetensors.torch.load_file(exported / "model.safetensors")
    assert weights.keys() == found.model.keys() and all(weights[name].equal(found.model[name]) for name in weights)
    assert (exported / "config.yaml").read_text() == resolved_config(load_task(run / "config.yaml"))
    evaluated = figures(capsys, run)
    assert all(evaluated[key] == manifest["evaluation"][key] for key in ("mean_ep_length", "std_reward", "deaths"))
    assert {*manifest["evaluation"]} >= {"without_memory", "random", "seed"}
    with Image.open(exported / "town.png") as picture:
        assert picture.size[0] > 300


def test_the_card_has_its_facts_for_hubs_and_figures_for_people(exported):
    _, facts, text = (exported / "README.md").read_text().split("---\n", 2)
    read, evaluated = yaml.safe_load(facts), json.loads((exported / "policy.json").read_text())["evaluation"]
    assert read["library_name"] == "townlet" and "reinforcement-learning" in read["tags"]
    (result,) = read["model-index"][0]["results"]
    spreads = {f"mean_{key}": f"{evaluated[f'mean_{key}']:.2f} +/- {evaluated[f'std_{key}']:.2f}"
               for key in ("reward", "ep_length")}  # fmt: skip
    assert {one["type"]: one["value"] for one in result["metrics"]} == spreads
    assert "![a moment of a life](town.png)" in text and f"| length | {spreads['mean_ep_length']} steps |" in text
    assert all((exported / name).is_file() for name in re.findall(r"^\| `(.*?)` \|", text, flags=re.MULTILINE))


def test_the_program_on_the_card_runs(exported, monkeypatch):
    monkeypatch.chdir(exported)
    (program,) = re.findall(r"^```python\n(.*?)^```", (exported / "README.md").read_text(), flags=re.M | re.S)
    names = {}
    exec(compile(program, "card", "exec"), names)
    assert names["terminated"] or names["truncated"]


def test_a_run_a_checkpoint_and_an_export_are_evaluated_alike(run, exported, capsys):
    of_run = figures(capsys, run)
    for other in (run / "checkpoints" / "step_000000032", exported):
        found = figures(capsys, other)
        assert found.pop("checkpoint") == other.name and found.items() <= of_run.items()


def test_a_replay_of_an_export_is_the_replay_of_its_run(run, exported, tmp_path):
    paths = [tmp_path / name for name in ("run.replay", "exported.replay")]
    for reference, path in zip((run, exported), paths, strict=True):
        words = ["--agents", "3", "--out", str(path), "--device", "cpu"]
        assert cli.main(["replay", str(reference), *words]) == 0
    of_run, of_export = map(read, paths)
    assert [life.length for life in of_run.lives] == [life.length for life in of_export.lives]


def test_a_run_begins_with_the_weights_of_an_export_of_a_run_or_of_a_name(run, exported, tmp_path, capsys):
    level = write_level(tmp_path, yaml.safe_load((run / "config.yaml").read_text()))
    runs = shutil.copytree(run.parents[1], tmp_path / "runs")
    for number, taught in enumerate((exported, run, Path("run"))):
        words = [
            "--level",
            str(level),
            "--load",
            str(taught),
            "--runs-dir",
            str(runs),
            "--run-name",
            f"taught-{number}",
        ]
        assert train.main([*words, "--total-steps", "4", *QUIET]) == 0  # one step: too few for an update
        begun = run.parent.name + f"/taught-{number}"
        weights, theirs = saved(runs / begun, 4).model, saved(run, 32).model
        assert all(weights[name].equal(theirs[name]) for name in theirs)
    other = write_level(tmp_path, room(id="wide", observation__window=5))
    said = refusal(capsys, "train", "--level", other, "--load", exported, *QUIET, code=2)
    assert said == f"--load {exported}: the network of level room does not fit: window: expected 9, got 25"


def test_a_hubs_folder_of_links_is_read(exported, tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    for number, path in enumerate(sorted(exported.iterdir())):
        shutil.copyfile(path, tmp_path / "blobs" / str(number))
        os.symlink(Path("..") / "blobs" / str(number), tmp_path / "snapshot" / path.name)
    linked, policy = townlet.load_policy(tmp_path / "snapshot"), townlet.load_policy(exported)
    seen = np.linspace(0, 1, 16, dtype=np.float32)
    assert (linked.predict(seen)[0] == policy.predict(seen)[0]).all()


def test_it_lies_with_its_run_unless_another_folder_is_asked_for(run, capsys):
    export("run", "--runs-dir", run.parents[1], "--checkpoint", "step_000000016", "--episodes", "2")
    folder = run / "exports" / "step_000000016"
    assert re.match(
        rf"{re.escape(str(folder))}: \d+ KB, level room, step_000000016, survival \d", capsys.readouterr().out
    )
    older, found = townlet.load_policy(folder), saved(run, 16)
    assert all(weight.equal(found.model[name]) for name, weight in older.network.state_dict().items())
    assert json.loads((folder / "policy.json").read_text())["evaluation"]["episodes"] == 2
    export(run, "--checkpoint", "step_000000016", "--episodes", "3")  # in its place
    assert json.loads((folder / "policy.json").read_text())["evaluation"]["episodes"] == 3
    assert sorted(path.name for path in folder.parent.iterdir()) == ["step_000000016"]


def test_the_export_before_stays_where_the_new_one_cannot_take_its_place(run, exported, tmp_path, capsys, monkeypatch):
    folder, rename = shutil.copytree(exported, tmp_path / "agent"), os.rename
    before = (folder / "policy.json").read_text()

    def refuse(old, new):
        if Path(old).name == ".agent.new":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(new))
        rename(old, new)

    monkeypatch.setattr(os, "rename", refuse)
    said = refusal(capsys, "export", run, "--out", folder, "--episodes", "2", code=1)
    assert said == f"townlet export: cannot write {folder}: Input/output error"
    assert (folder / "policy.json").read_text() == before and [path.name for path in tmp_path.iterdir()] == ["agent"]


def test_what_a_killed_export_had_set_aside_is_put_back_by_the_next(run, exported, tmp_path, capsys):
    former = shutil.copytree(exported, tmp_path / ".agent.former")
    (former / "notes.txt").write_text("mine")  # so that the next is refused, and what was there can be looked at
    refusal(capsys, "export", run, "--out", tmp_path / "agent", "--episodes", "2", code=1)
    assert (tmp_path / "agent" / "notes.txt").read_text() == "mine" and not former.exists()


def test_a_link_that_is_written_to_stays_a_link(run, exported, tmp_path):
    folder = shutil.copytree(exported, tmp_path / "agent")
    (tmp_path / "link").symlink_to("agent")
    export(run, "--out", tmp_path / "link", "--episodes", "2")
    evaluated = json.loads((folder / "policy.json").read_text())["evaluation"]
    assert (tmp_path / "link").is_symlink() and evaluated["episodes"] == 2


def test_which_run_is_the_latest_is_told_beside_the_output(run, tmp_path, capsys):
    capsys.readouterr()
    export("latest", "--runs-dir", run.parents[1], "--out", tmp_path / "agent", "--episodes", "2")
    said = capsys.readouterr()
    assert said.err == f"latest is {run}\n" and said.out.startswith(f"{tmp_path / 'agent'}: ")


def test_what_is_made_of_an_export_lies_in_the_working_folder(exported, tmp_path, capsys, monkeypatch):
    before = sorted(exported.iterdir())
    monkeypatch.chdir(tmp_path)
    words = [str(exported), "--agents", "1", "--steps", "4", "--device", "cpu"]
    assert cli.main(["replay", *words]) == 0
    (kept,) = tmp_path.iterdir()
    assert kept.name == "agent_1x4.replay" and capsys.readouterr().out.startswith(f"{kept.name}: ")
    assert len(townlet.show(exported, agents=2, steps=4).replay.lives) == 2
    assert sorted(exported.iterdir()) == before and len(list(tmp_path.iterdir())) == 1


def test_an_agent_of_another_environment_is_exported_without_a_town(tmp_path):
    small = ["--num-agents", "4", "--set", "training.seq_len=4", "--set", "network.hidden=8", "--set", "max_steps=9"]
    small += ["--set", "training.mode.capacity=100"]  # which every checkpoint holds
    words = ["--gym", "CartPole-v1", *small, "--total-steps", "16", "--set", "evaluation.episodes=2", *QUIET]
    assert train.main([*words, "--runs-dir", str(tmp_path), "--run-name", "run"]) == 0
    export("run", "--runs-dir", tmp_path, "--out", tmp_path / "agent", "--episodes", "3")
    assert {path.name for path in (tmp_path / "agent").iterdir()} == {
        "README.md", "config.yaml", "model.safetensors", "policy.json"
    }  # fmt: skip
    policy = townlet.load_policy(tmp_path / "agent")
    assert policy.act(np.zeros(4, np.float32)) in (0, 1) and policy.act(np.zeros((3, 4), np.float32)).shape == (3,)
    assert 'gymnasium.make("CartPole-v1", max_episode_steps=9)' in (tmp_path / "agent" / "README.md").read_text()


def test_the_network_comes_along_as_graphs_where_they_are_asked_for(run, tmp_path):
    pytest.importorskip("onnxruntime")
    export(run, "--out", tmp_path / "agent", "--episodes", "2", "--onnx", "--program")
    assert {*json.loads((tmp_path / "agent" / "policy.json").read_text())["files"]} >= {"policy.onnx", "policy.pt2"}
    program, policy = torch.export.load(tmp_path / "agent" / "policy.pt2").module(), townlet.load_policy(run)
    seen, mask = torch.rand(2, 16), torch.ones(2, 4, dtype=torch.bool)
    blank = policy.network.initial_hidden(2)
    q, action, *_ = program(seen, mask, torch.full((2,), 4), *blank)
    known = policy.q_values(seen.numpy(), {"action_mask": mask.numpy()})
    assert q.numpy() == pytest.approx(known, abs=1e-6) and action.tolist() == known.argmax(axis=1).tolist()
    assert "| `policy.onnx` | one step of the network" in (tmp_path / "agent" / "README.md").read_text()


def test_without_the_packages_a_graph_is_refused_in_a_line_and_nothing_is_written(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    said = refusal(capsys, "export", run, "--out", tmp_path / "agent", "--episodes", "2", "--onnx", code=1)
    assert said.startswith("townlet export: --onnx: expected the packages of the extra onnx, got ")
    assert list(tmp_path.iterdir()) == []


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"format": "townlet-policy/2"},
            "expected format townlet-policy/1, got 'townlet-policy/2', which a newer Townlet",
        ),
        ({"format": None}, "expected format townlet-policy/1, got None"),
        ({"step": -1}, "expected a step, at least 0, got -1"),
        ({"files": {}}, "expected files, model.safetensors among them, got {}"),
        ({"interface": {"observation": [["position", 2], ["window", 9]], "actions": [4]}}, "expected the interface {"),
    ],
)
def test_a_folder_of_another_form_is_refused_in_a_line(changed, capsys, keys, said):
    folder = changed(**keys)
    assert refusal(capsys, "evaluate", folder, code=1).startswith(f"townlet evaluate: {folder / 'policy.json'}: {said}")


def test_nobody_begins_with_weights_that_saw_things_in_another_order(changed, tmp_path, capsys):
    folder = changed(interface={"observation": [["position", 2], ["window", 9]], "actions": [4]})
    words = ["--level", folder / "config.yaml", "--load", folder, "--runs-dir", tmp_path / "runs", *QUIET]
    assert "expected the interface {" in refusal(capsys, "train", *words, code=1)


def test_weights_that_are_not_those_that_were_exported_are_refused(changed, capsys):
    folder = changed()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    assert f"{weights}: expected {{'size': " in refusal(capsys, "evaluate", folder, code=1)


def test_an_export_is_no_run(run, exported, tmp_path, capsys):
    said = refusal(capsys, "train", "--resume", exported, *QUIET, code=1)
    assert (
        said
        == f"townlet train: {exported}: expected a run, got a policy that one was exported to (policy.json is in it)"
    )
    said = refusal(capsys, "evaluate", exported, "--checkpoint", "best", code=2)
    assert said == "--checkpoint: expected none beside an exported policy, got best"
    page = ["--html", tmp_path / "page.html", "--beside", "best", "--agents", "1"]
    said = refusal(capsys, "replay", exported, *page, code=1)
    assert said == f"townlet replay: {exported}: expected no checkpoint but the one that was exported, got best"
    shutil.copytree(exported, tmp_path / "runs" / "room" / "agent")
    said = refusal(capsys, "evaluate", "latest", "--runs-dir", tmp_path / "runs", code=1)
    assert said == f"townlet evaluate: no run 'latest': there are no runs in {tmp_path / 'runs'}"


def test_nothing_else_is_written_over(run, exported, tmp_path, capsys):
    (tmp_path / "mine").write_text("")
    said = refusal(capsys, "export", run, "--out", tmp_path, "--episodes", "2", code=1)
    assert said == f"townlet export: {tmp_path}: expected nothing there yet, or an earlier export, got something else"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert refusal(capsys, "export", exported, code=2).startswith(
        "--out: expected a folder to write into beside an exp"
    )


@pytest.mark.parametrize("name", [".git/HEAD", "notes.txt", "replays/one.replay"])
def test_what_lies_beside_an_earlier_export_is_not_lost(run, exported, tmp_path, capsys, name):
    folder = shutil.copytree(exported, tmp_path / "agent")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("mine")
    said = refusal(capsys, "export", run, "--out", folder, "--episodes", "2", code=1)
    expected = "expected nothing there yet, or an earlier export"
    assert said == f"townlet export: {folder}: {expected}, got {name.partition('/')[0]} in it too"
    assert (folder / name).read_text() == "mine"


# --- what earlier versions wrote ---------------------------------------------------------------------------------


def test_what_an_earlier_version_saved_and_exported_acts_as_it_did_then(tmp_path):
    known = json.loads((OLD / "values.json").read_text())
    seen, mask = np.array(known["observation"], np.float32), {"action_mask": np.ones(4, bool)}
    for source in (OLD / "run", OLD / "run" / "checkpoints" / "step_000000016", OLD / "exported"):
        policy = townlet.load_policy(source)
        for expected in known["q_values"]:
            assert policy.q_values(seen, mask) == pytest.approx(expected, abs=1e-5)
            policy.act(seen, mask)


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    run = shutil.copytree(OLD / "run", tmp_path / "run")
    assert train.main(["--resume", str(run), "--total-steps", "24", *QUIET]) == 0
    assert checkpoint.load(run / "checkpoints" / "step_000000024").step == 24
