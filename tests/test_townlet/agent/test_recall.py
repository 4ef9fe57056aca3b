"""Recall: what memory is asked beside what actions are worth, by hand, and what learns from it."""

import pytest
import torch

from support.learning import (
    OBS_DIM,
    copy_of,
    differences,
    joint,
    make_population,
    make_training,
    random_batch,
    recurrent,
)
from support.shares import learned_in_parts_and_whole
from townlet.agent.learner import QLearner
from townlet.agent.recall import RecallHead, make_recall
from townlet.config import ConfigError, Recall, load_level
from townlet.environment.layout import ObservationLayout

LAYOUT = ObservationLayout({"place": slice(0, 1), "seen": slice(1, OBS_DIM)})
QUESTION = Recall(weight=0.5, ask="place", tell="seen", back=9)
TOLD = OBS_DIM - 1


def windows(**changes):
    batch = random_batch(batch=3)
    return batch._replace(earlier=torch.randn(3, OBS_DIM), has_earlier=torch.tensor([True, True, False]), **changes)


def weights_of(module):
    return copy_of(module.state_dict())


def learner_with(recall, **training):
    return QLearner(recurrent(), make_training(**training), recall=recall)


def head_of(network, **changes):
    torch.manual_seed(1)
    return RecallHead(QUESTION.model_copy(update=changes), network, LAYOUT)


def test_the_loss_is_half_the_squared_error_of_all_that_is_told_in_the_mean_over_who_has_a_past():
    head = head_of(recurrent())
    with torch.no_grad():
        head.answer.weight.zero_()
        head.answer.bias.fill_(1.0)  # whatever is asked, each number is told as 1
    earlier = torch.zeros(3, OBS_DIM)
    earlier[0, 1:], earlier[1, 1:], earlier[2, 1:] = 3.0, 1.0, 100.0
    hidden = recurrent().initial_hidden(3)
    has = torch.tensor([True, True, False])
    # Errors of 2 in each number of the first, 0 in the second; the third has none: (4 TOLD / 2 + 0) / 2.
    assert head.loss(hidden, earlier, has).item() == pytest.approx(TOLD)
    assert head.loss(hidden, earlier, torch.zeros(3, dtype=torch.bool)).item() == 0.0


def test_a_window_without_a_past_counts_for_nothing_whatever_lies_there():
    network = recurrent()
    batch = windows()
    other = batch._replace(earlier=batch.earlier.index_fill(0, torch.tensor([2]), 77.0))
    one, two = (learner_with(head_of(network)).update(each).metrics["train/recall_loss"] for each in (batch, other))
    assert torch.equal(one, two)


def test_the_answer_is_looked_up_by_memory_and_by_what_is_asked_alone():
    head = head_of(recurrent())
    hidden = tuple(torch.randn_like(part) for part in recurrent().initial_hidden(2))
    asked = torch.randn(2, 1)
    answer = head(hidden, asked)
    assert answer.shape == (2, TOLD)
    assert not torch.allclose(answer, head(hidden, asked + 1.0))
    assert not torch.allclose(answer, head(tuple(part + 1.0 for part in hidden), asked))


def test_the_loss_counts_as_the_level_says_in_what_is_learned_and_not_in_the_loss_that_is_told():
    """The gradient is that of the TD loss and `weight` times that of recall: twice the weight, twice the difference."""
    gradients = []
    for weight in (0.5, 1.0):
        network = recurrent()
        learner = QLearner(network, make_training(max_grad_norm=1e9), recall=head_of(network, weight=weight))
        torch.manual_seed(3)
        told = learner.update(windows())
        gradients.append(network.cell.weight_hh_l0.grad.clone())
        assert set(told.metrics) >= {"train/recall_loss"}
    alone = QLearner(recurrent(), make_training(max_grad_norm=1e9))
    torch.manual_seed(3)
    plain = alone.update(windows())
    without = alone.network.cell.weight_hh_l0.grad
    torch.testing.assert_close(gradients[1] - without, 2.0 * (gradients[0] - without))
    assert not torch.equal(gradients[0], without)
    assert torch.equal(plain.metrics["train/loss"], told.metrics["train/loss"])
    assert "train/recall_loss" not in plain.metrics


def test_over_shares_every_window_with_a_past_counts_alike_however_many_steps_are_learned_from():
    """Of the first share one window has a past, of the second all three; of the first two steps count, of that 15."""
    batch = random_batch(batch=6)
    valid = torch.zeros_like(batch.valid)
    valid[0, -1], valid[1, 0], valid[3:] = True, True, True
    batch = batch._replace(valid=valid, earlier=torch.randn(6, OBS_DIM), has_earlier=valid[:, -1])

    def learner_of(share):
        return QLearner(network := recurrent(), make_training(), recall=head_of(network), share=share)

    (told, same), expected = learned_in_parts_and_whole(learner_of, batch)
    assert told == same
    for name in ("train/recall_loss", "train/loss", "train/grad_norm"):
        torch.testing.assert_close(told[name], expected[name])


def test_what_a_step_of_the_window_wrote_learns_to_be_found_again():
    """Told is what was seen a step before the last. Knowing nothing of it costs its variance; memory learns to keep it.

    Without a gradient through memory the loss stays above 0.7.
    """
    torch.manual_seed(0)
    network, rate = recurrent(config=joint(hidden=16)), {"learning_rate": 0.02, "final_learning_rate": 0.02}
    training = make_training(gamma=0.0, max_grad_norm=10.0, **rate)
    learner = QLearner(network, training, recall=head_of(network, weight=1.0))
    batch = random_batch(batch=64)._replace(has_earlier=torch.ones(64, dtype=torch.bool), rewards=torch.zeros(64, 5))
    losses = []
    for _ in range(110):
        seen = torch.randn(64, 6, OBS_DIM)
        batch = batch._replace(observations=seen, earlier=seen[:, 4], hidden=network.initial_hidden(64))
        losses.append(float(learner.update(batch).metrics["train/recall_loss"]))
    assert losses[0] > 0.9 * TOLD / 2 and sum(losses[-10:]) / 10 < 0.3


def test_an_update_changes_the_head_too_and_a_saved_learner_goes_on_with_it():
    network = recurrent()
    learner = learner_with(head_of(network))
    before = weights_of(learner.recall)
    learner.update(windows())
    assert set(differences(before, weights_of(learner.recall))) == {f".{name}" for name in before}
    other = learner_with(head_of(network))
    other.load_state_dict(learner.state_dict())
    assert differences(weights_of(learner.recall), weights_of(other.recall)) == []


def test_what_is_kept_by_a_rule_is_not_asked():
    """An LSTM has h and c; beside it sightings are kept by a rule, and a delta memory is learned."""
    delta = {"kind": "delta", "keys": 2, "values": 2, "keep": 1.0, "phases": True}
    network = make_population("fresh", network__sightings=True, network__memory=[delta]).network
    whole = tuple(torch.full_like(part, float(index)) for index, part in enumerate(network.initial_hidden(1)))
    assert len(whole) == 4
    assert [float(part.mean()) for part in network.shaped(whole)] == [0.0, 1.0, 3.0]
    assert [float(part.mean()) for part in network.shaped((*whole[:2], whole[3]))] == [0.0, 1.0, 3.0]


@pytest.mark.parametrize("mode", ["fresh", "replay"])
def test_a_population_that_is_asked_learns_from_it_in_either_way(mode):
    asked = {"weight": 0.5, "ask": "underfoot", "tell": "position", "back": 6}
    population, plain = make_population(mode, training__recall=asked), make_population(mode)
    told = [one.step() for one in (population, plain) for _ in range(40)]
    losses = [float(one["train/recall_loss"]) for one in told[:40] if one]
    assert all(loss >= 0.0 for loss in losses) and sum(loss > 0.0 for loss in losses) > 1
    assert not any("train/recall_loss" in one for one in told[40:])
    assert differences(weights_of(population.network), weights_of(plain.network))


def test_a_question_about_what_is_not_observed_is_refused():
    with pytest.raises(ConfigError) as refused:
        make_recall(Recall(weight=1.0, ask="place", tell="smell", back=3), recurrent(), LAYOUT)
    assert str(refused.value) == "training.recall.tell: expected a part of the observation, place, seen, got 'smell'"


def test_without_memory_there_is_nothing_to_ask():
    asked = {"weight": 1.0, "ask": "underfoot", "tell": "position", "back": 3}
    with pytest.raises(ConfigError, match="expected null, since a feed-forward network has no memory to ask"):
        load_level("2-memoryless", {"training.recall": asked})
