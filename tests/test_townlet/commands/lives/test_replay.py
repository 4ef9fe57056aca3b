"""`townlet replay`: what is recorded, where it lies, and what is said of it."""

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.rooms import ROOM, room, train_briefly, write_level
from townlet import evaluate
from townlet.commands import cli
from townlet.config import load_task
from townlet.page.html import to_html
from townlet.page.replay import read, unpack
from townlet.seeding import stream_seed

DOCUMENT = (Path(__file__).parents[4] / "docs" / "replays.md").read_text()
MAPS = {"kind": "random", "training_maps": 1, "evaluation_maps": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in the room, in which breath lasts for five ticks, saved after 16 and after 32 steps."""
    folder = tmp_path_factory.mktemp("runs")
    return train_briefly(folder, room(layout=MAPS), "run", "--checkpoint-every", "16")


def recorded(capsys, run, *flags, reference="run"):
    """The line that a recording prints, and the file that it tells of."""
    capsys.readouterr()
    runs = str(run.parents[1])
    assert cli.main(["replay", reference, "--runs-dir", runs, "--device", "cpu", *flags]) == 0
    said = capsys.readouterr()
    assert said.err == "" and said.out.count("\n") == 1
    path, _, told = said.out.rstrip("\n").partition(": ")
    return told, read(path), path


def failed(capsys, run, *words):
    """Its exit code, and what it says."""
    capsys.readouterr()
    try:
        code = cli.main(["replay", *words, "--runs-dir", str(run.parents[1])])
    except SystemExit as error:
        code = error.code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return code, said.rstrip("\n")


def test_what_was_recorded_is_told_in_a_line_and_lies_where_it_is_asked_for(run, capsys, tmp_path):
    told, one, path = recorded(capsys, run)
    assert path == str(run / "replays" / "step_000000032_16x500.replay")
    what = "16 lives in level room by step_000000032, 5.0 steps on average and 5 at most, 16 ended by death"
    assert re.fullmatch(rf"\d+ KB, {what}; with memory and weights", told)
    assert recorded(capsys, run, "--out", str(tmp_path / "own.replay"))[2] == str(tmp_path / "own.replay")
    origin = one.header.origin
    assert (origin.run, origin.checkpoint, origin.learned, origin.env_steps) == ("run", "step_000000032", "room", 32)
    assert re.fullmatch(r"[0-9a-f]{16}", origin.run_id) and {*origin.versions} == {"townlet", "torch"}
    assert load_task(run / "config.yaml").model_dump() == load_task(write_yaml(tmp_path, one)).model_dump()


def write_yaml(folder, one):
    """The level that a replay holds, as a file."""
    path = folder / "level.yaml"
    path.write_text(one.header.level.yaml)
    return path


def test_the_planner_lives_from_the_same_starts_in_the_recording_itself_alone(run, capsys, tmp_path):
    _, one, _ = recorded(capsys, run, "--agents", "3", "--out", str(tmp_path / "own.replay"))
    assert [(life.length, life.ended) for life in one.header.planner] == [(5, "death")] * 3  # breath lasts no longer
    page, runs = tmp_path / "out.html", ["--runs-dir", str(run.parents[1]), "--agents", "1"]
    assert cli.main(["replay", "run", *runs, "--html", str(page), "--beside", "step_000000016"]) == 0
    packed = re.findall(r'<script type="application/octet-stream" .*?>(.*?)</script>', page.read_text())
    assert [unpack(base64.b64decode(each)).header.planner is None for each in packed] == [False, True]


def test_so_many_lives_are_recorded_for_so_many_steps(run, capsys):
    _, one, path = recorded(capsys, run, "--agents", "3", "--steps", "4")
    assert [(life.agent, life.length, life.ended) for life in one.lives] == [(agent, 4, "cut") for agent in range(3)]
    assert path.endswith("step_000000032_3x4.replay")


def test_a_recording_lives_what_evaluate_lives(run, capsys):
    level = load_task(run / "config.yaml")
    network = evaluate.trained_network(level, evaluate.find_checkpoint(run, level, "latest"), "cpu")
    found = evaluate.evaluate(level, network, 6, evaluate.evaluation_seed(level), "cpu")
    _, one, _ = recorded(capsys, run, "--agents", "6")
    assert sum(life.length for life in one.lives) / 6 == found["mean_ep_length"]
    assert sum(life.total_reward for life in one.lives) / 6 == pytest.approx(found["mean_reward"])


def test_maps_and_starts_are_those_of_the_seed_and_by_itself_of_the_runs_own_evaluations(run, capsys):
    _, own, _ = recorded(capsys, run)
    _, other, path = recorded(capsys, run, "--seed", "7")
    assert [one.header.origin.seed for one in (own, other)] == [stream_seed(1, "evaluation"), 7]
    assert [life.map for life in own.lives] != [life.map for life in other.lives] and "_seed-7" in path


def test_weights_and_memory_come_along_as_is_asked_for(run, capsys):
    _, one, _ = recorded(capsys, run, "--weights")
    told, other, path = recorded(capsys, run, "--no-weights", "--memory-every", "2")
    assert one.weights and other.weights is None and told.endswith("; with memory")
    assert [two.row("memory").every for two in (one, other)] == [1, 2]
    assert [two["memory"].shape[-1] for two in (one, other)] == [6, 3]  # of 6 frames
    assert path.endswith("step_000000032_16x500_no-weights_memory-every-2.replay")  # the whole one stays


def test_an_agent_is_recorded_in_the_world_of_another_level(run, capsys, tmp_path):
    wide = write_level(tmp_path, {**room(layout=MAPS), "id": "wide", "grid": {"width": 5, "height": 1}})
    _, one, path = recorded(capsys, run, "--level", str(wide), "--set", "max_steps=3")
    assert one.header.world.width == 5 and {life.ended for life in one.lives} == {"limit"}
    assert one.header.origin.learned == "room" and path.endswith("step_000000032_16x500_level-wide_max_steps-3.replay")


def test_the_network_of_a_replay_is_the_one_that_learned_wherever_it_plays(run, capsys, tmp_path):
    other = {**ROOM["network"], "hidden": 6}
    level = write_level(tmp_path, {**room(layout=MAPS), "id": "other", "network": other})
    _, one, _ = recorded(capsys, run, "--level", str(level), "--agents", "1")
    assert one.header.level.id == "other" and one.header.network == load_task(run / "config.yaml").network
    assert one.header.network.hidden == 4 and one.header.units == 8  # hidden state and cell


def test_a_checkpoint_is_named_by_its_own_folder(run, capsys):
    _, one, path = recorded(capsys, run, reference=str(run / "checkpoints" / "step_000000016"))
    assert one.header.origin.env_steps == 16 and path == str(run / "replays" / "step_000000016_16x500.replay")


def test_a_page_of_the_recording_is_one_file_and_the_replay_lies_beside_it_where_asked_for(run, capsys, tmp_path):
    page, own = tmp_path / "out.html", tmp_path / "own.replay"
    runs = ["--runs-dir", str(run.parents[1]), "--agents", "2"]
    before = sorted(run.rglob("*"))
    assert cli.main(["replay", "run", *runs, "--html", str(page)]) == 0
    assert re.fullmatch(rf"{page}: \d+ KB, 2 lives in level room .*\n", capsys.readouterr().out)
    assert sorted(run.rglob("*")) == before
    assert cli.main(["replay", "run", *runs, "--html", str(page), "--out", str(own)]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [str(own), str(page)]
    assert page.read_text() == to_html(own.read_bytes(), "Townlet: level room, run")
    nowhere = tmp_path / "no" / "out.html"
    assert failed(capsys, run, "run", "--html", str(nowhere))[1].startswith(f"townlet replay: cannot write {nowhere}")


def test_lives_of_other_checkpoints_lie_in_the_page_beside_those_it_shows(run, capsys, tmp_path):
    page, runs = tmp_path / "out.html", ["--runs-dir", str(run.parents[1]), "--agents", "2"]
    assert cli.main(["replay", "run", *runs, "--html", str(page), "--beside", "step_000000016"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    found = re.findall(r'<script type="application/octet-stream" (.*?)>(.*?)</script>', page.read_text())
    assert [attribute for attribute, _ in found] == ['id="replay"', 'class="beside"']
    shown, other = (unpack(base64.b64decode(packed)) for _, packed in found)
    assert (shown.header.origin.env_steps, other.header.origin.env_steps) == (32, 16)
    assert [life.places for life in shown.lives] == [life.places for life in other.lives]
    assert (shown["position"][:, :, 0] == other["position"][:, :, 0]).all() and other.weights is None
    assert failed(capsys, run, "run", "--html", str(page), "--beside", "step_000000099")[0] == 1
    said = "--beside: expected --html beside it, for it is in the page that lives are compared"
    assert failed(capsys, run, "run", "--beside", "step_000000016") == (2, said)


def test_what_cannot_be_recorded_is_one_line(run, capsys, tmp_path):
    assert failed(capsys, run, "nobody") == (
        1, f"townlet replay: no run 'nobody' in {run.parents[1]}: there are room_room/run"
    )  # fmt: skip
    nothing = run / "checkpoints" / "step_000000001"
    assert failed(capsys, run, "run", "--checkpoint", "step_000000001") == (
        1, f"townlet replay: {nothing}: expected a checkpoint, got nothing there; did you mean 'step_000000016'?"
    )  # fmt: skip
    folder = str(run / "checkpoints" / "step_000000016")
    assert failed(capsys, run, folder, "--checkpoint", "best") == (
        2, "--checkpoint: expected none beside a checkpoint's own folder, got best"
    )  # fmt: skip
    nowhere = tmp_path / "no" / "where.replay"
    assert failed(capsys, run, "run", "--out", str(nowhere)) == (
        1, f"townlet replay: cannot write {nowhere}: No such file or directory"
    )  # fmt: skip
    code, said = failed(capsys, run, "run", "--set", "training.seed=3")
    assert code == 2 and said.startswith("--set training.seed: expected a key of the world")
    assert failed(capsys, run, "run", "--agents", "0")[0] == 2


def test_a_task_of_gymnasium_has_no_replay(tmp_path, capsys):
    folder = tmp_path / "cart" / "run"
    folder.mkdir(parents=True)
    training = {**ROOM["training"], "gamma": 0.9}
    content = {"id": "cart", "name": "cart", "description": "A cart.", "gym": "CartPole-v1",
               "network": {"kind": "feed_forward", "hidden": [4]}, "training": training,
               "evaluation": ROOM["evaluation"]}  # fmt: skip
    write_level(folder, {**content, "id": "config"}).rename(folder / "config.yaml")
    code, said = failed(capsys, folder, "run")
    assert (code, said) == (2, "replay: expected a level of the town, got a task of Gymnasium (CartPole-v1)")


# --- as the document says ----------------------------------------------------------------------------------------


def block(language):
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    return found


def test_a_replay_is_read_in_python_as_the_document_says(run, capsys):
    _, one, path = recorded(capsys, run)
    lines = re.sub(r'read\(".*"\)', f"read({path!r})", block("python"))
    exec(compile(lines.replace("[0, 3,", "[0, 1,").replace("12]", "2]"), "replays.md", "exec"), {})
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("5 death ") and one.lives[0].length == 5


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_replay_is_read_in_a_browsers_language_as_the_document_says(run, capsys):
    _, one, path = recorded(capsys, run)
    program = f"""
        const file = new Blob([require("fs").readFileSync({path!r})]);
        (async () => {{
        {block("js")}
        console.log(header.format, stored.length, Array.from(stored.slice(0, 6)).join(" "));
        }})();
    """
    done = subprocess.run(["node", "-e", program], capture_output=True, text=True, timeout=60, check=True)
    breath = [round(share * 65535) for share in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)]
    assert done.stdout.split() == [one.header.format, str(16 * 2 * 6), *map(str, breath)]
