"""Who tries a task: the control is as large as what it stands beside, and nobody gets fewer steps than said."""

import re

import pytest

from support.benchmarks import make_trial
from townlet.agent.networks import count_parameters, make_network
from townlet.bench.memory.contestants import TownletAgent, control_of
from townlet.config import load_task
from townlet.environment.layout import ObservationLayout
from townlet.level.file import configs_directory

SHIPPED = sorted((configs_directory() / "tasks").glob("*.yaml"))
WIDTHS = {"popgym": (4, 4), "townlet": (2, 2)}  # of observations and actions, about


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_the_control_of_every_shipped_task_has_its_parameters_to_within_two_percent(path, monkeypatch):
    """By layouts of their own, so that no package is needed."""
    task = load_task(path)
    obs_dim, num_actions = WIDTHS[re.split(r"[.:/]", task.gym)[0].lower()]
    layout = ObservationLayout({"features": slice(0, obs_dim)})

    class World:
        observation_layout = layout

        def close(self):
            pass

    World.num_actions = num_actions
    monkeypatch.setattr("townlet.bench.memory.contestants.make_env", lambda *_: World())
    control = control_of(task)
    ours, theirs = (count_parameters(make_network(one.network, layout, num_actions)) for one in (task, control))
    assert control.network.kind == "feed_forward"
    assert abs(theirs - ours) <= 0.02 * ours
    assert control.training == task.training.model_copy(update={"recall": None, "prediction": None})


def test_a_control_by_hand():
    """CartPole: 4 inputs, 2 actions. The LSTM has 4 * 8 * (8 + 8 + 2) = 576 of 829 parameters."""
    trial = make_trial(network__layer_norm=False, network__dueling=False, network__previous_action=False)
    # encoder 4 * 8 + 8, LSTM 576, head 16 * 8 + 8 with the skip, values 8 * 2 + 2
    wanted = 40 + 576 + 136 + 18
    agent, control = TownletAgent(trial.task), TownletAgent(control_of(trial.task))
    assert agent.parameters == wanted
    # two layers of w: 5 w + w (w + 1) + 2 w + 2 = w * w + 8 w + 2, with w = 24 it is 770
    assert control.parameters == 770
    assert not control.population.hidden


def test_what_the_control_shares_with_the_recurrent_network():
    task = control_of(make_trial(network__layer_norm=True, network__dueling=False, network__previous_action=True).task)
    assert (task.network.layer_norm, task.network.dueling, task.network.previous_action) == (True, False, True)


def test_what_teaches_a_memory_beside_values_is_not_the_controls():
    """Alone it would be all that the control's layers learn from."""
    task = make_trial(training__prediction={"weight": 0.5, "alone": True}).task
    control = control_of(task)
    assert task.training.prediction is not None and control.training.prediction is None
    assert control.training == task.training.model_copy(update={"prediction": None})


def test_a_control_of_something_without_memory_is_an_error():
    task = control_of(make_trial().task)
    with pytest.raises(ValueError, match=r"control: expected a recurrent network, got feed_forward"):
        control_of(task)


def test_training_goes_on_until_the_steps_are_reached():
    agent = TownletAgent(make_trial().task)
    agent.train_to(10)
    assert agent.steps == 12  # of four agents
    agent.train_to(12)
    assert agent.steps == 12
