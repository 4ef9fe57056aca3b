"""What loggers write, read back where it was written, without a network."""

import json
import subprocess
import sys
import time

import pytest

import townlet
from support import wandb_log
from support.rooms import room, write_level
from townlet import loggers
from townlet.loggers.mlflow import flat

PATIENCE = 60.0  # seconds, for another process, on a busy machine


@pytest.fixture
def learn(tmp_path):
    """Trains in the room for 16 steps of its 4 agents, and evaluates after 8 too."""
    level = write_level(tmp_path, room())

    def learned(*callbacks, **keywords):
        asked = {"device": "cpu", "progress": False, "total_steps": 16, **keywords}
        asked |= {} if "resume" in asked else {"level": level, "runs_dir": tmp_path, "evaluate_every": 8}
        return townlet.learn(callbacks=callbacks, **asked)

    return learned


def recorded(run: townlet.Run, name: str) -> list[tuple[int, float]]:
    return list(zip(*(part.tolist() for part in run.metrics(name)), strict=True))


# --- TensorBoard --------------------------------------------------------------------------------------------------


def test_tensorboard_shows_a_run_in_another_folder_as_in_its_own(learn, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = learn(loggers.TensorBoard(tmp_path / "board"))
    for folder in (run.path, tmp_path / "board"):
        shown = accumulator.EventAccumulator(str(folder)).Reload()
        for name in ("train/epsilon", "eval/mean_ep_length"):
            pairs = [(event.step, event.value) for event in shown.Scalars(name)]
            assert pairs == [(step, pytest.approx(value)) for step, value in recorded(run, name)]


# --- Weights & Biases ---------------------------------------------------------------------------------------------


class Sent:
    """In place of wandb: keeps what is sent."""

    def __init__(self) -> None:
        self.settings: list[dict] = []
        self.logged: list[tuple[int, dict]] = []
        self.ended: list[int] = []

    def init(self, **settings):
        self.settings.append(settings)
        return self

    def log(self, numbers, step):
        self.logged.append((step, numbers))

    def finish(self, exit_code):
        self.ended.append(exit_code)


def test_weights_and_biases_are_sent_each_record_at_its_step(learn, monkeypatch):
    sent = Sent()
    monkeypatch.setitem(sys.modules, "wandb", sent)
    run = learn(loggers.WeightsAndBiases(project="mine", mode="offline"), run_name="one")
    (settings,) = sent.settings
    assert (settings["project"], settings["mode"], settings["name"]) == ("mine", "offline", "one")
    assert settings["dir"] == str(run.path) and "resume" not in settings
    assert settings["config"]["training"]["seed"] == run.level.training.seed
    for name in ("train/epsilon", "eval/mean_ep_length"):
        assert [(step, one[name]) for step, one in sent.logged if name in one] == recorded(run, name)
    assert sent.ended == [0]
    learn(loggers.WeightsAndBiases(), resume=run, total_steps=20)
    again = sent.settings[1]
    assert (again["id"], again["resume"], again["project"]) == (settings["id"], "allow", "townlet")


def test_weights_and_biases_are_told_of_a_training_that_failed(learn, monkeypatch):
    class Failing(townlet.Callback):
        def on_step(self, moment):
            raise ZeroDivisionError

    sent = Sent()
    monkeypatch.setitem(sys.modules, "wandb", sent)
    with pytest.raises(ZeroDivisionError):
        learn(loggers.WeightsAndBiases(), Failing())
    assert sent.ended == [1]


@pytest.mark.slow
def test_weights_and_biases_itself_keeps_each_number_at_its_step_and_the_level_offline(learn, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = learn(loggers.WeightsAndBiases(mode="offline", dir=str(tmp_path)), run_name="one")
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    kept, until = [], time.monotonic() + PATIENCE
    while not any(record.HasField("exit") for record in kept):  # a process of its own writes it
        assert time.monotonic() < until
        time.sleep(0.05)
        kept = list(wandb_log.read(path))
    (about,) = (record.run for record in kept if record.HasField("run"))
    assert (about.project, about.display_name) == ("townlet", "one")
    config = {item.key: json.loads(item.value_json) for item in about.config.update}
    assert config["training"] == run.level.model_dump(mode="json")["training"]
    rows = [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in kept
        if record.HasField("history")
    ]
    for name in ("train/epsilon", "eval/mean_ep_length"):
        assert [(row["_step"], row[name]) for row in rows if name in row] == recorded(run, name)
    (end,) = (record.exit for record in kept if record.HasField("exit"))
    assert end.exit_code == 0


# --- MLflow -------------------------------------------------------------------------------------------------------


@pytest.fixture
def mlflow(monkeypatch):
    """MLflow, without a word to those who made it."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return pytest.importorskip("mlflow", reason="neither mlflow nor mlflow-skinny is installed")


def test_mlflow_keeps_each_record_at_its_step_and_the_level_as_parameters(learn, mlflow, tmp_path):
    store = (tmp_path / "mlruns").as_uri()
    logger = loggers.MLflow(store)
    run = learn(logger, run_name="one")
    client = mlflow.MlflowClient(store)
    kept = client.get_run(logger.run_id)
    assert (kept.info.run_name, kept.info.status) == ("one", "FINISHED")
    assert kept.data.params["training.seed"] == "1" and kept.data.params["network.encoder.width"] == "4"
    for name in ("train/epsilon", "eval/mean_ep_length"):
        assert [(one.step, one.value) for one in client.get_metric_history(logger.run_id, name)] == recorded(run, name)
    again = loggers.MLflow(store)
    learn(again, resume=run, total_steps=20)
    assert again.run_id == logger.run_id
    assert client.get_metric_history(logger.run_id, "train/epsilon")[-1].step == 20


def test_names_are_written_as_mlflow_takes_them():
    assert dict(flat({"a": {"b c": 1, "d+e": [2]}, "f": {}})) == {"a.b c": "1", "a.d_e": "[2]", "f": "{}"}


# --- without them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "make", "extra"),
    [
        ("wandb", loggers.WeightsAndBiases, "loggers"),
        ("mlflow", loggers.MLflow, "loggers"),
        ("tensorboard", lambda: loggers.TensorBoard("board"), "tensorboard"),
    ],
)
def test_what_is_not_installed_is_told_with_what_to_install(package, make, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # an import of it raises ImportError
    expected = rf"^expected {package} to be installed, got none: pip install 'townlet\[{extra}\]'$"
    with pytest.raises(ImportError, match=expected):
        make()


def test_loggers_come_with_townlet_and_bring_nothing_of_others():
    assert townlet.loggers is loggers
    program = "import townlet.loggers, sys; assert not {'wandb', 'mlflow', 'tensorboard'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
