"""Pupils are taught by windows, with memory carried on, and asked on what nobody was taught by."""

import pytest
import torch

from townlet.bench.recall import pupils
from townlet.bench.recall.pupils import Plan, Schooling, Trial, examine, run_trial, teach
from townlet.bench.recall.questions import NOT_ASKED, QUESTIONS, Asked
from townlet.config import ConfigError
from townlet.level.file import configs_directory, load

SCHOOLING = Schooling(updates=3, episodes=2, window=8, learning_rate=0.003)


class Listener(torch.nn.Module):
    """A network that writes down how it was called and gives scores of its own."""

    def __init__(self, width, answer=None):
        super().__init__()
        self.weight, self.calls, self.answer, self.width = torch.nn.Parameter(torch.zeros(1)), [], answer, width

    def initial_hidden(self, batch):
        return (torch.zeros(1, batch, 1),)

    def forward(self, features, hidden):
        self.calls.append((features.shape[1], hidden[0][0, 0, 0].item(), hidden[0].requires_grad))
        scores = torch.zeros(*features.shape[:2], self.width) if self.answer is None else self.answer(features)
        return scores + self.weight, (hidden[0] + self.weight + 1.0,)


def test_an_episode_is_taught_window_by_window_with_its_memory_and_no_gradient_across():
    question = QUESTIONS["lags"]
    network = Listener(question.answers * question.classes)
    teach(network, question, SCHOOLING, seed=0)
    assert network.calls[0] == (8, 0.0, False)
    lengths, memory, gradient = zip(*network.calls[:3], strict=True)
    assert set(lengths) == {8} and not any(gradient)
    torch.testing.assert_close(torch.tensor(memory), torch.tensor([0.0, 1.0, 2.0]), atol=0.1, rtol=0)


def test_windows_without_a_question_take_no_update():
    question = QUESTIONS["order"]
    network = Listener(question.classes)
    teach(network, question, SCHOOLING, seed=0)
    assert len(network.calls) == 12  # six windows that show, then six that ask: the first three of these are learned


def test_right_answers_are_counted_by_the_size_of_the_question(monkeypatch):
    right = torch.tensor([[[0], [1], [NOT_ASKED], [1], [1], [0]]])
    size = torch.tensor([[[1], [2], [1], [3], [5], [7]]])
    asked = Asked(torch.zeros(1, 6, 4), right, size)
    question = QUESTIONS["order"]._replace(ask=lambda episodes, stream: asked)
    monkeypatch.setattr(pupils, "FRESH_EPISODES", 1)
    says_one = Listener(4, lambda features: torch.eye(4)[1].expand(*features.shape[:2], 4))
    assert examine(says_one, question, seed=0) == {"1": 0.0, "2": 1.0, "4": 0.5}


def test_examination_asks_what_no_lesson_did():
    question, asked = QUESTIONS["order"], []

    def ask(episodes, stream):
        asked.append(question.ask(episodes, stream))
        return asked[-1]

    watched = question._replace(ask=ask)
    teach(Listener(4), watched, SCHOOLING, seed=0)
    examine(Listener(4), watched, seed=0)
    assert not torch.equal(asked[0].features, asked[-1].features[: SCHOOLING.episodes])


def test_every_shipped_pupil_can_be_asked_everything(monkeypatch):
    monkeypatch.setattr(pupils, "FRESH_EPISODES", 2)
    plan = load(Plan, configs_directory() / "recall.yaml")
    for name in plan.pupils:
        for question in QUESTIONS:
            record = run_trial(
                Trial(name, question, 0, plan.network_of(name), SCHOOLING.model_copy(update={"updates": 1}))
            )
            assert all(0.0 <= share <= 1.0 for share in record["right"].values())
            assert record["parameters"] > 0 and (record["held"] > 0) == (name != "none")


@pytest.mark.slow
def test_a_delay_line_learns_lags_and_a_network_without_memory_learns_none():
    plan = load(Plan, configs_directory() / "recall.yaml")
    schooling = plan.schooling.model_copy(update={"updates": 300})
    spectral, none = (
        run_trial(Trial(name, "lags", 0, plan.network_of(name), schooling))["right"] for name in ("spectral", "none")
    )
    assert min(spectral.values()) > 0.9
    assert max(none.values()) < 0.3


def test_a_pupil_with_a_key_that_is_wrong_is_refused(tmp_path):
    text = (configs_directory() / "recall.yaml").read_text()
    (tmp_path / "plan.yaml").write_text(text + "  wrong: {hiden: 3}\n")
    with pytest.raises(ConfigError, match="hiden"):
        load(Plan, tmp_path / "plan.yaml")


def test_the_same_seed_is_the_same_pupil():
    plan = load(Plan, configs_directory() / "recall.yaml")
    trial = Trial("LSTM", "order", 0, plan.network_of("LSTM"), SCHOOLING)
    assert run_trial(trial) == run_trial(trial)
    assert run_trial(trial)["right"] != run_trial(trial._replace(seed=1))["right"]
