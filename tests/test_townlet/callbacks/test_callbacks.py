"""What callbacks are told of a training, in which order, how they end it, and what becomes of their errors."""

import dataclasses
from pathlib import Path

import pytest
import torch

import townlet
from support.rooms import room, saved, write_level
from townlet.callbacks.callback import Moment
from townlet.callbacks.listeners import Listeners
from townlet.run.metrics import MetricsStore

HOOKS = ("on_start", "on_step", "on_record", "on_evaluation", "on_checkpoint", "on_end")


class Noting(townlet.Callback):
    """Notes each moment, by the method that was called, and does something at one of them."""

    def __init__(self, act=None, hook: str = "", step: int = 0) -> None:
        self.act, self.hook, self.step = act, hook, step
        self.noted: list[tuple[str, Moment]] = []

    def note(self, hook: str, moment: Moment) -> None:
        self.noted.append((hook, moment))
        if hook == self.hook and moment.steps == self.step:
            return self.act(moment)

    @property
    def calls(self) -> list[tuple[str, int]]:
        return [(hook, moment.steps) for hook, moment in self.noted]

    def at(self, hook: str) -> list[Moment]:
        return [moment for called, moment in self.noted if called == hook]


for name in HOOKS:
    setattr(Noting, name, lambda self, moment, hook=name: self.note(hook, moment))


def fail(moment):
    raise ZeroDivisionError("a mistake of mine")


@pytest.fixture
def learn(tmp_path):
    """Trains in the room for 16 steps of its 4 agents, evaluates after 8 and saves after 12 too."""
    level = write_level(tmp_path, room())

    def learned(*callbacks, **keywords):
        pace = {"total_steps": 16, "evaluate_every": 8, "checkpoint_every": 12}
        asked = {"run_name": "run", "device": "cpu", "progress": False, "runs_dir": tmp_path, **pace, **keywords}
        return townlet.learn(level, callbacks=callbacks, **asked)

    return learned


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "room_room" / "run"


def saved_steps(run: Path) -> list[int]:
    return sorted(int(one.name.removeprefix("step_")) for one in (run / "checkpoints").glob("step_*"))


# --- what is told -------------------------------------------------------------------------------------------------


def test_each_moment_is_told_when_it_comes(learn):
    noting = Noting()
    learn(noting)
    each = [("on_step", 4), ("on_record", 4), ("on_step", 8), ("on_record", 8)]
    first = [("on_checkpoint", 8), ("on_evaluation", 8), ("on_checkpoint", 8)]  # saved before evaluations are prepared
    then = [("on_step", 12), ("on_record", 12), ("on_checkpoint", 12), ("on_step", 16), ("on_record", 16)]
    last = [("on_evaluation", 16), ("on_checkpoint", 16), ("on_end", 16)]
    assert noting.calls == [("on_start", 0), *each, *first, *then, *last]


def test_a_moment_says_where_the_training_stands(learn, folder):
    noting = Noting()
    run = learn(noting)
    (start,), (end,) = noting.at("on_start"), noting.at("on_end")
    assert (start.run, start.level, start.total_steps) == (folder, run.level, 16)
    assert start.evaluation is start.checkpoint is start.resumed_at is start.ended_by is None and start.goes_on
    assert dict(start.metrics) == {}
    record, evaluation = noting.at("on_record")[0], noting.at("on_evaluation")[0]
    assert "train/epsilon" in record.metrics and "eval/mean_ep_length" not in record.metrics
    assert evaluation.metrics["eval/mean_ep_length"] == 5.0 and "train/epsilon" not in evaluation.metrics
    assert evaluation.evaluation["mean_ep_length"] == 5.0 and evaluation.evaluation["deaths"] == {"breath": 4}
    assert [one.checkpoint.name for one in noting.at("on_checkpoint")][-1] == "step_000000016"
    later = noting.at("on_step")[-1]
    assert {"train/epsilon", "eval/mean_ep_length"} <= later.metrics.keys()  # the newest of each
    assert (end.ended_by, end.goes_on, end.steps) == ("steps", False, 16)
    with MetricsStoreOf(folder) as store:
        assert record.metrics["train/epsilon"] == dict(store.scalars("train/epsilon"))[4]


class MetricsStoreOf:
    """The metrics of a run, closed afterwards."""

    def __init__(self, run: Path) -> None:
        self.store = MetricsStore(run / "metrics.sqlite", read_only=True)

    def __enter__(self) -> MetricsStore:
        return self.store

    def __exit__(self, *exception) -> None:
        self.store.close()


def test_a_moment_cannot_be_changed(learn):
    noting = Noting()
    learn(noting)
    for moment in (noting.noted[0][1], noting.noted[-1][1]):
        with pytest.raises(dataclasses.FrozenInstanceError):
            moment.steps = 5
        with pytest.raises(TypeError):
            moment.metrics["train/loss"] = 0.0


def test_a_run_that_goes_on_says_from_where(learn):
    first = learn()
    noting = Noting()
    townlet.learn(resume=first, total_steps=20, callbacks=[noting], device="cpu", progress=False)
    assert [moment.resumed_at for moment in noting.at("on_start")] == [16]
    assert [moment.steps for moment in noting.at("on_step")] == [20]


def test_what_a_callback_tells_is_on_the_screen_and_in_the_log(learn, folder, capsys):
    learn(Noting(lambda moment: moment.tell("half of it"), "on_step", 8), progress="plain")
    assert capsys.readouterr().err.count("half of it") == 1
    assert (folder / "train.log").read_text().count("half of it") == 1


def test_callbacks_change_nothing_that_is_learned_bit_for_bit(learn, tmp_path):
    alone = saved(learn(run_name="alone").path, 16)
    watched = saved(learn(Noting(), run_name="watched").path, 16)
    assert all(torch.equal(watched.model[name], one) for name, one in alone.model.items())
    assert alone.state["population"]["steps"] == watched.state["population"]["steps"] == 4
    for one, other in zip(*(run.state["population"]["random"].values() for run in (alone, watched)), strict=True):
        assert torch.equal(one, other)


def test_steps_are_told_only_where_somebody_listens_to_them(tmp_path):
    class Seldom(townlet.Callback):
        def on_record(self, moment):
            pass

    class Often(Seldom):
        def on_step(self, moment):
            pass

    moment = Moment(tmp_path, None, 0, 100)
    assert not Listeners([Seldom(), townlet.Callback()], moment).stepwise
    assert Listeners([Seldom(), Often()], moment).stepwise


# --- stopping -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["on_step", "on_record", "on_evaluation", "on_checkpoint"])
def test_a_callback_ends_a_training_which_is_evaluated_and_saved(hook, learn, folder):
    noting = Noting(lambda moment: moment.stop("enough of it"), hook, 8)
    run = learn(noting)
    assert (run.steps, run.stopped_by, run.why) == (8, "callback", "enough of it")
    assert saved_steps(folder) == [8] and noting.calls[-1] == ("on_end", 8)
    assert len(noting.at("on_evaluation")) == 1 and noting.at("on_end")[0].ended_by == "callback"
    assert (folder / "train.log").read_text().count("stopped: enough of it") == 1
    with MetricsStoreOf(folder) as store:
        assert [(one["step"], one["kind"], one["text"]) for one in store.events()] == [(8, "stopped", "enough of it")]


def test_one_that_stops_it_at_the_start_leaves_a_run_without_steps(learn, folder):
    run = learn(Noting(lambda moment: moment.stop(), "on_start", 0))
    assert (run.steps, run.stopped_by, run.why) == (0, "callback", "a callback asked for it")


def test_the_first_who_stops_it_is_told_of_and_at_the_end_nobody_does(learn):
    first, second = (Noting(lambda moment, why=why: moment.stop(why), "on_step", 8) for why in ("one", "two"))
    assert learn(first, second).why == "one"
    run = learn(Noting(lambda moment: moment.stop("late"), "on_step", 16), run_name="whole")
    assert (run.steps, run.stopped_by, run.why) == (16, "steps", "")


def test_a_run_that_was_stopped_goes_on_when_it_is_resumed(learn):
    run = learn(Noting(lambda moment: moment.stop("a pause"), "on_step", 8))
    assert run.steps == 8
    again = townlet.learn(resume=run, device="cpu", progress=False)
    whole = learn(run_name="whole")
    assert again.steps == 16 and again.stopped_by == "steps"
    models = [saved(one.path, 16).model for one in (again, whole)]
    assert all(torch.equal(models[0][name], one) for name, one in models[1].items())


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["on_step", "on_record", "on_evaluation", "on_checkpoint"])
def test_an_error_of_a_callback_is_raised_as_it_is_when_all_is_saved(hook, learn, folder):
    noting, after = Noting(fail, hook, 8), Noting()
    with pytest.raises(ZeroDivisionError, match="a mistake of mine") as raised:
        learn(noting, after)
    said = f"step 8: Noting.{hook} raised ZeroDivisionError; saved up to step 8; more in {folder / 'train.log'}"
    assert raised.value.__notes__ == [said] and saved_steps(folder) == [8]
    assert noting.calls[-1] == (hook, 8)  # it is told nothing more
    assert after.calls[-1] == ("on_end", 8) and after.at("on_end")[0].ended_by == "error"
    assert "a mistake of mine" in (folder / "train.log").read_text()


def test_who_was_not_told_of_the_start_is_not_told_of_the_end(learn, folder):
    before, failing, after = Noting(), Noting(fail, "on_start", 0), Noting()
    with pytest.raises(ZeroDivisionError):
        learn(before, failing, after)
    assert [one.calls for one in (failing, after)] == [[("on_start", 0)], []]
    assert before.calls == [("on_start", 0), ("on_end", 0)] and saved_steps(folder) == []


def test_an_error_at_the_end_is_raised_when_all_have_been_told_of_the_end(learn, folder):
    failing, after = Noting(fail, "on_end", 16), Noting()
    with pytest.raises(ZeroDivisionError):
        learn(failing, after)
    assert after.calls[-1] == ("on_end", 16) and saved_steps(folder) == [8, 12, 16]


def test_an_error_at_the_end_of_a_training_that_failed_does_not_hide_why(learn):
    class Careless(townlet.Callback):
        def on_end(self, moment):
            raise KeyError("left")

    with pytest.raises(ZeroDivisionError) as raised:
        learn(Noting(fail, "on_step", 8), Careless())
    assert raised.value.__notes__[-1] == "at the end Careless.on_end raised KeyError: 'left'"


def test_what_a_method_returns_is_told_for_the_mistake_that_it_is(learn):
    """Elsewhere False stops a training, and True goes on: whoever writes it here learns at once what to write."""
    expected = r'^Noting.on_step: expected nothing returned \(moment.stop\("why"\) ends a training\), got False'
    with pytest.raises(TypeError, match=expected):
        learn(Noting(lambda moment: False, "on_step", 8))
