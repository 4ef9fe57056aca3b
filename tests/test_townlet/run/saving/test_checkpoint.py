"""Checkpoints survive crashes, full disks and damage, and never run code."""

import contextlib
import errno
import hashlib
import json
import os
import pickle
import resource
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

import townlet
from townlet.run import run_directory
from townlet.run.saving import checkpoint, manifest
from townlet.run.saving.checkpoint import Checkpoint, CheckpointError, load, load_best, load_latest, save

FILES = ("model.safetensors", "state.pt", "manifest.json")


def save_tagged(directory: Path, step: int, tag: int = 0, **options: object) -> Path:
    """Save a checkpoint whose model and state both carry `tag`."""
    model = {"weight": torch.full((2, 3), float(tag)), "bias": torch.zeros(3)}
    return save(directory, step, model, {"tag": tag, "hidden": torch.arange(4)}, **options)


def tag_of(found: Checkpoint) -> int:
    assert found.model["weight"].eq(found.state["tag"]).all(), "model and state are of different saves"
    return found.state["tag"]


def steps_in(directory: Path) -> list[int]:
    return sorted(int(entry.name.removeprefix("step_")) for entry in directory.glob("step_*"))


def hidden_in(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.glob(".*"))


def rewrite_manifest(folder: Path, **changes: object) -> None:
    """Make the manifest agree with the files as they are now: what an attacker would do."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["files"]:
        content = (folder / name).read_bytes()
        manifest["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest.update(changes)
    del manifest["sha256"]
    manifest["sha256"] = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


# Round trip


def test_round_trip_returns_model_state_and_facts(tmp_path):
    state = {
        "nested": [1, 2.5, "text", True, None, (torch.tensor([1, 2]), {"deep": torch.eye(2, dtype=torch.bool)})],
        "optimiser": {0: {"step": torch.tensor(3.0)}, "groups": [{"lr": 1e-3}]},
        "ordered": OrderedDict(a=1),
        "generator": torch.Generator().get_state(),
        "big": 2**70,
    }
    path = save(tmp_path / "run" / "checkpoints", 100_000, {"w": torch.randn(3, 4)}, state, facts={"level": "2"})
    assert path == tmp_path / "run" / "checkpoints" / "step_000100000"
    assert sorted(entry.name for entry in path.iterdir()) == sorted(FILES)

    found = load(path)
    assert found.step == 100_000 and found.path == path
    assert found.state["nested"][:5] == [1, 2.5, "text", True, None]
    assert type(found.state["nested"][5]) is tuple and found.state["nested"][5][0].tolist() == [1, 2]
    assert found.state["nested"][5][1]["deep"].dtype == torch.bool
    assert found.state["optimiser"][0]["step"].item() == 3.0 and found.state["big"] == 2**70
    assert found.state["generator"].equal(state["generator"])
    assert found.manifest["facts"] == {"level": "2"} and found.manifest["format"] == 2
    assert found.manifest["torch"] == torch.__version__ and found.manifest["townlet"] == townlet.__version__


def test_tied_and_transposed_weights_round_trip(tmp_path):
    tied = torch.randn(3, 4)
    found = load(save(tmp_path, 1, {"embed": tied, "head": tied, "transposed": tied.T}, {}))
    assert (
        found.model["embed"].equal(tied) and found.model["head"].equal(tied) and found.model["transposed"].equal(tied.T)
    )


def test_a_view_is_saved_without_the_storage_around_it(tmp_path):
    path = save(tmp_path, 1, {}, {"row": torch.zeros(1000, 1000)[0]})
    assert (path / "state.pt").stat().st_size < 50_000
    assert load(path).state["row"].shape == (1000,)


def test_state_that_could_not_be_loaded_is_refused_by_name(tmp_path):
    with pytest.raises(TypeError, match=r"state\['replay'\]\[1\]: expected .*, got pathlib\."):
        save(tmp_path, 1, {}, {"replay": [0, Path("x")]})
    assert list(tmp_path.iterdir()) == []


def test_load_latest_takes_the_newest_and_needs_no_pointer(tmp_path):
    for step in (5, 1_000_000_000, 70):
        save_tagged(tmp_path, step, keep=5)
    assert json.loads((tmp_path / "latest.json").read_text()) == {"checkpoint": "step_000000070", "step": 70}
    (tmp_path / "latest.json").unlink()
    assert load_latest(tmp_path, pytest.fail).step == 1_000_000_000


def test_load_latest_of_nothing_says_so(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(CheckpointError, match=r"expected a whole checkpoint"):
            load_latest(folder, pytest.fail)


# Pruning and the best one


def test_newest_and_best_stay(tmp_path):
    for step, score in ((1, 10.0), (2, 50.0), (3, 50.0), (4, None), (5, float("nan")), (6, 20.0)):
        save_tagged(tmp_path, step, keep=2, best_score=score)
    assert steps_in(tmp_path) == [2, 5, 6]
    assert json.loads((tmp_path / "best.json").read_text()) == {
        "checkpoint": "step_000000002",
        "step": 2,
        "score": 50.0,
    }
    save_tagged(tmp_path, 7, keep=2, best_score=51.0)
    assert steps_in(tmp_path) == [6, 7]
    assert json.loads((tmp_path / "best.json").read_text())["step"] == 7


def test_saving_the_best_step_again_without_a_score_keeps_it_the_best(tmp_path):
    save_tagged(tmp_path, 1, best_score=9.0)
    save_tagged(tmp_path, 1, tag=1)
    save_tagged(tmp_path, 2, keep=1)
    assert steps_in(tmp_path) == [1, 2]


def test_leftovers_go_and_unknown_files_stay(tmp_path):
    save_tagged(tmp_path, 1)
    for name in (".step_000000009.tmp", ".step_000000001.old", "step_1", "notes", ".hidden.tmp", "step_0000000001"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("x")
    (tmp_path / ".latest.json.tmp").write_text("{")
    for step in (2, 3):
        save_tagged(tmp_path, step, keep=1)
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {"step_000000003", "latest.json", "step_1", "notes", ".hidden.tmp", "step_0000000001"}


def test_a_save_behind_damaged_newer_ones_is_not_pruned(tmp_path):
    for step in (1, 2, 3):
        save_tagged(tmp_path, step)
    (tmp_path / "step_000000003" / "state.pt").unlink()
    (tmp_path / "step_000000002" / "state.pt").unlink()
    assert load_latest(tmp_path, lambda line: None).step == 1
    save_tagged(tmp_path, 1, tag=1, keep=1)
    assert tag_of(load_latest(tmp_path, lambda line: None)) == 1


# Crashes


class Crash(BaseException):
    """The process is gone: nothing catches this, and nothing works afterwards."""


class FailingDisk:
    """Let `allowed` calls to the file system through; then fail once, or for good."""

    def __init__(self, monkeypatch, allowed: int, error: BaseException, *, once: bool = False) -> None:
        self.allowed, self.error, self.once = allowed, error, once
        self.failed = False
        for name in ("rename", "replace", "fsync", "mkdir", "unlink", "rmdir"):
            monkeypatch.setattr(os, name, self.wrap(getattr(os, name)))
        for module in (checkpoint, manifest, run_directory):
            monkeypatch.setattr(module, "open", self.wrap(open), raising=False)

    def wrap(self, call):
        def limited(*arguments, **options):
            self.allowed -= 1
            if self.allowed < 0 and not (self.failed and self.once):
                self.failed = True
                raise self.error
            return call(*arguments, **options)

        return limited


def first_saves(directory: Path) -> None:
    for step in (1, 2, 3):
        save_tagged(directory, step, tag=step, keep=2, best_score=-step)


@pytest.mark.parametrize("step", [3, 4], ids=["same-step", "next-step"])
def test_a_crash_at_any_call_leaves_a_whole_checkpoint(tmp_path, step):
    outcomes = []
    for allowed in range(1000):
        directory = tmp_path / str(allowed)
        first_saves(directory)
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk = FailingDisk(monkeypatch, allowed, Crash())
            with contextlib.suppress(Crash):
                save_tagged(directory, step, tag=step + 10, keep=2)
        found = load_latest(directory, pytest.fail)
        assert (found.step, tag_of(found)) in ((3, 3), (step, step + 10))
        for folder in directory.glob("step_*"):
            load(folder)
        outcomes.append(tag_of(found))
        save_tagged(directory, 5, keep=2)
        assert hidden_in(directory) == []
        assert steps_in(directory) in ([1, 3, 5], [1, 4, 5])
        if not disk.failed:
            break
    assert len(outcomes) > 15, "the calls were not counted"
    assert outcomes == sorted(outcomes) and set(outcomes) == {3, step + 10}


@pytest.mark.parametrize("once", [True, False], ids=["one-failure", "failing-for-good"])
@pytest.mark.parametrize("step", [3, 4], ids=["same-step", "next-step"])
def test_an_error_at_any_call_is_one_line_and_harms_nothing(tmp_path, step, once):
    for allowed in range(1000):
        directory = tmp_path / str(allowed)
        first_saves(directory)
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk = FailingDisk(monkeypatch, allowed, OSError(errno.ENOSPC, "No space left on device"), once=once)
            try:
                save_tagged(directory, step, tag=step + 10, keep=2)
            except CheckpointError as error:
                assert "No space left on device" in str(error) and "\n" not in str(error)
        found = load_latest(directory, pytest.fail)
        assert (found.step, tag_of(found)) in ((3, 3), (step, step + 10))
        if once:
            assert hidden_in(directory) == []
        if not disk.failed:
            return
    pytest.fail("the calls were not counted")


KILLED_SAVER = """
import os, pathlib, random, select, signal, sys, time
import torch
from townlet.run.saving.checkpoint import load_latest, save

def save_for_ever(directory, step, out):
    while True:
        for _ in range(2):  # each step is saved, and replaced
            save(directory, step, {"w": torch.full((64, 64), float(step))}, {"step": step}, keep=2, best_score=-step)
            os.write(out, b"%d\\n" % step)
        step += 1

directory, kills = pathlib.Path(sys.argv[1]), int(sys.argv[2])
random.seed(0)
damaged, step = [], 0
for _ in range(kills):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        save_for_ever(directory, step + 1, writer)
    os.close(writer)
    if random.random() < 0.8:  # mostly in a later save than the first, however slow the machine
        select.select([reader], [], [], 20.0)
    time.sleep(random.uniform(0.0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reader) as lines:
        reported = max([step, *map(int, lines)])
    if not any(directory.glob("step_*")) and reported == 0:
        continue
    found = load_latest(directory, damaged.append)
    assert found.step >= reported, (found.step, reported)
    assert found.state["step"] == found.step and found.model["w"].eq(found.step).all()
    step = found.step
assert not damaged, damaged
print("reached", step)
"""


@pytest.mark.slow
def test_kill_9_at_random_moments_never_loses_a_reported_checkpoint(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(townlet.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLED_SAVER, str(tmp_path / "checkpoints"), "25"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[1]) >= 5


def test_all_is_flushed_before_the_rename_and_the_rename_after_it(tmp_path, monkeypatch):
    flushed, at_rename = [], []
    rename = os.rename

    def note_rename(source, target):
        at_rename.extend(flushed)
        rename(source, target)
        flushed.clear()

    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    monkeypatch.setattr(os, "rename", note_rename)
    path = save_tagged(tmp_path, 1)
    assert at_rename == [(path / name).stat().st_ino for name in FILES] + [path.stat().st_ino]
    assert flushed[0] == tmp_path.stat().st_ino


# A disk that refuses


def test_a_file_that_cannot_grow_leaves_the_old_checkpoints(tmp_path):
    save_tagged(tmp_path, 1, tag=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for name, model, state in (
        ("state", {}, {"replay": torch.zeros(100_000)}),
        ("model", {"w": torch.zeros(100_000)}, {}),
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        try:
            with pytest.raises(CheckpointError, match=r"cannot save .*step_000000002: File too large"):
                save(tmp_path, 2, model, state)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert steps_in(tmp_path) == [1] and hidden_in(tmp_path) == [], name
    assert tag_of(load_latest(tmp_path, pytest.fail)) == 1


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"cannot save .*Not a directory"):
        save_tagged(tmp_path / "file" / "checkpoints", 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_folder_is_one_line(tmp_path):
    save_tagged(tmp_path, 1, tag=1)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CheckpointError, match=r"Permission denied"):
            save_tagged(tmp_path, 2)
        assert tag_of(load_latest(tmp_path, pytest.fail)) == 1
    finally:
        tmp_path.chmod(0o700)


def test_a_read_only_file_system_is_one_line(tmp_path, monkeypatch):
    save_tagged(tmp_path, 1, tag=1)
    with monkeypatch.context() as patched:
        FailingDisk(patched, 0, OSError(errno.EROFS, "Read-only file system"))
        with pytest.raises(CheckpointError, match=r"Read-only file system"):
            save_tagged(tmp_path, 2)
    assert tag_of(load_latest(tmp_path, pytest.fail)) == 1


# Damage


@pytest.fixture
def two(tmp_path) -> Path:
    """A folder with two checkpoints, tagged 1 and 2."""
    save_tagged(tmp_path, 1, tag=1)
    save_tagged(tmp_path, 2, tag=2)
    return tmp_path


def assert_refused(directory: Path, file: str) -> None:
    """The newest checkpoint is refused by the file's name, in one line, and the one before is taken."""
    with pytest.raises(CheckpointError) as refusal:
        load(directory / "step_000000002")
    assert file in str(refusal.value) and "\n" not in str(refusal.value)
    lines: list[str] = []
    assert tag_of(load_latest(directory, lines.append)) == 1
    assert len(lines) == 1 and f"step_000000002/{file}" in lines[0]


@pytest.mark.parametrize("file", FILES)
def test_a_truncated_or_longer_file_is_refused(two, file):
    path = two / "step_000000002" / file
    whole = path.read_bytes()
    for content in (b"", whole[:1], whole[: len(whole) // 2], whole[:-1], whole + b"x"):
        path.write_bytes(content)
        assert_refused(two, file)


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_is_refused(two, file):
    path = two / "step_000000002" / file
    whole = path.read_bytes()
    every = 1 if file == "manifest.json" else 7
    for index in range(0, len(whole), every):
        flipped = bytearray(whole)
        flipped[index] ^= 1 << index % 8
        path.write_bytes(flipped)
        with pytest.raises(CheckpointError, match=file):
            load(path.parent)
    assert_refused(two, file)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_a_link_and_a_folder_are_refused(two, file):
    path = two / "step_000000002" / file
    elsewhere = two / "elsewhere"
    path.rename(elsewhere)
    assert_refused(two, file)
    path.symlink_to(elsewhere)
    assert_refused(two, file)
    path.unlink()
    path.mkdir()
    assert_refused(two, file)


@pytest.mark.parametrize(
    "text", ["[]", "null", "{}", "[" * 100_000, '{"format": 1}', "\ud800".encode("utf-8", "surrogatepass")]
)
def test_a_manifest_of_another_kind_is_refused(two, text):
    content = text if isinstance(text, bytes) else text.encode()
    (two / "step_000000002" / "manifest.json").write_bytes(content)
    assert_refused(two, "manifest.json")


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 3},
        {"step": "2"},
        {"step": 1},  # not as its folder is called
        {"step": 1e30},
        {"step": 10**30},
        {"step": -2},
        {"step": True},
        {"facts": [1]},
        {"files": {}},
        {"files": None},
        {"files": {"../step_000000001/state.pt": {}, "model.safetensors": {}}},
        {"files": {"model.safetensors": {}, "state.pt": {}, "/etc/passwd": {}}},
    ],
)
def test_a_manifest_that_names_other_things_is_refused(two, changes):
    rewrite_manifest(two / "step_000000002", **changes)
    assert_refused(two, "manifest.json")


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors", "state.pt"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(two, name):
    path = two / "step_000000002" / name
    path.unlink()
    os.mkfifo(path)
    assert_refused(two, name)


def test_a_pipe_in_the_place_of_a_pointer_is_not_waited_for(two):
    for name in ("latest.json", "best.json"):
        (two / name).unlink(missing_ok=True)
        os.mkfifo(two / name)
    assert load_latest(two, pytest.fail).step == 2
    with pytest.raises(CheckpointError, match=r"best.json: expected a file, got something else"):
        load_best(two)
    save_tagged(two, 3, best_score=1.0)
    assert load_best(two).step == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checkpoint": 5}', '{"step": 1}', "[" * 100_000])
def test_a_pointer_to_the_best_that_names_none_is_one_line(two, text):
    (two / "best.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"best.json: expected ") as refusal:
        load_best(two)
    assert "\n" not in str(refusal.value)


def test_a_pointer_that_leads_elsewhere_stays_in_the_folder(two):
    (two / "best.json").write_text('{"checkpoint": "../../step_000000001"}')
    assert load_best(two).step == 1


# Whose it is


def test_a_checkpoint_renamed_is_refused_and_one_kept_under_another_name_is_not(tmp_path):
    path = save_tagged(tmp_path, 5)
    path.rename(tmp_path / "step_000000007")
    with pytest.raises(CheckpointError, match=r"manifest.json: expected step 7, as the folder is called, got 5$"):
        load(tmp_path / "step_000000007")
    (tmp_path / "step_000000007").rename(tmp_path / "mine")
    assert load(tmp_path / "mine").step == 5


def test_what_a_run_says_must_be_said_by_its_checkpoints(tmp_path):
    facts = {"level": "2", "seed": 0, "run": "ab"}
    path = save_tagged(tmp_path, 1, facts=facts)
    assert load(path, facts).step == 1 and load(path, {"level": "2", "seed": 0}).step == 1
    for change, said in (
        ({"level": "3"}, "of level 3, got one of '2'"),
        ({"seed": 1}, "of seed 1, got one of 0"),
        ({"run": "cd"}, "of run cd, got one of 'ab'"),
        ({"run": ""}, "of a run without an id, got one of 'ab'"),
    ):
        with pytest.raises(CheckpointError, match=f"expected a checkpoint {said}$"):
            load(path, facts | change)


def test_a_checkpoint_that_does_not_know_its_run_fits_by_level_and_seed(tmp_path):
    path = save_tagged(tmp_path, 1, facts={"level": "2", "seed": 0})
    rewrite_manifest(path, format=1)
    assert load(path, {"level": "2", "seed": 0, "run": "ab"}).step == 1
    with pytest.raises(CheckpointError, match="of seed 1, got one of 0"):
        load(path, {"level": "2", "seed": 1, "run": "ab"})


def test_a_checkpoint_of_another_run_is_neither_the_best_nor_lends_its_score(tmp_path):
    mine, other = {"run": "ab"}, {"run": "cd"}
    save_tagged(tmp_path, 9, facts=other, best_score=90.0)
    save_tagged(tmp_path, 1, facts=mine, best_score=1.0, keep=5)
    assert json.loads((tmp_path / "best.json").read_text())["step"] == 1
    assert load(save_tagged(tmp_path, 9, facts=mine, keep=5)).manifest["score"] is None


def test_a_disk_that_cannot_read_is_refused(two, monkeypatch):
    def open_badly(path, *arguments):
        if "step_000000002" in str(path):
            raise OSError(errno.EIO, "Input/output error", str(path))
        return open(path, *arguments)

    monkeypatch.setattr(manifest, "open", open_badly, raising=False)
    assert_refused(two, "manifest.json")


def test_when_all_are_damaged_each_is_named(two):
    for step in (1, 2):
        (two / f"step_00000000{step}" / "state.pt").write_bytes(b"")
    lines: list[str] = []
    with pytest.raises(CheckpointError, match=r"2 that are damaged"):
        load_latest(two, lines.append)
    assert len(lines) == 2


# Code in a checkpoint


class Bomb:
    """Makes a file when unpickled without care."""

    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self):
        return os.mkdir, (str(self.crater),)


def test_a_bomb_goes_off_in_an_unguarded_unpickler(tmp_path):
    """The tests below would otherwise pass with a dud."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "crater")))
    assert (tmp_path / "crater").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("form", ["torch", "torch-legacy", "pickle"])
def test_code_in_the_state_is_refused_though_all_hashes_fit(two, monkeypatch, form):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    crater, path = two / "crater", two / "step_000000002" / "state.pt"
    if form == "pickle":
        path.write_bytes(pickle.dumps({"tag": Bomb(crater)}))
    else:
        torch.save({"tag": Bomb(crater)}, path, _use_new_zipfile_serialization=form == "torch")
    rewrite_manifest(path.parent)
    assert_refused(two, "state.pt")
    assert not crater.exists()


def test_code_or_rubbish_in_the_model_is_refused_though_all_hashes_fit(two):
    crater, path = two / "crater", two / "step_000000002" / "model.safetensors"
    for content in (pickle.dumps(Bomb(crater)), b"", b"\xff" * 64):
        path.write_bytes(content)
        rewrite_manifest(path.parent)
        assert_refused(two, "model.safetensors")
    assert not crater.exists()


def test_a_state_that_is_no_dict_is_refused(two):
    path = two / "step_000000002" / "state.pt"
    torch.save([1, 2], path)
    rewrite_manifest(path.parent)
    assert_refused(two, "state.pt")
