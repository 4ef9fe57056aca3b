"""Prediction: what comes next is told beside what actions are worth, by hand, and memory learns from it."""

import pytest
import torch

from support.learning import (
    OBS_DIM,
    Spy,
    copy_of,
    differences,
    feed_forward,
    joint,
    make_population,
    make_training,
    random_batch,
    recurrent,
)
from support.shares import learned_in_parts_and_whole
from townlet.agent.learner import QLearner
from townlet.agent.networks import make_network
from townlet.agent.prediction import PredictionHead, make_prediction
from townlet.config import ConfigError, Images, Prediction, SeeingFeedForward
from townlet.environment.layout import Image, ObservationLayout

WANTED = Prediction(weight=0.5, width=7)


def head_of(network, **changes):
    torch.manual_seed(1)
    return PredictionHead(WANTED.model_copy(update=changes), network)


def tells_ones(network):
    """A head that tells each number as 1, whatever was read and done."""
    head = head_of(network)
    with torch.no_grad():
        head.answer.weight.zero_()
        head.answer.bias.fill_(1.0)
    return head


def read_of(head, batch):
    return torch.zeros(len(batch.actions), batch.actions.shape[1] - batch.burn_in + 1, head.lookup[0].in_features - 2)


def learner_with(network, head, **training):
    return QLearner(network, make_training(**training), prediction=head)


def test_the_loss_is_half_the_squared_error_of_all_that_is_observed_next_in_the_mean_over_steps_to_learn_from():
    head, batch = tells_ones(recurrent()), random_batch(batch=2, seq_len=2)
    seen = torch.full((2, 3, OBS_DIM), 100.0)  # what a window begins with is told by nobody
    seen[0, 1:], seen[1, 1], seen[1, 2] = 1.0, 3.0, 77.0
    valid = torch.tensor([[True, True], [True, False]])
    batch = batch._replace(observations=seen, valid=valid)
    # Errors of 0 and 0 in the first window, and of 2 in each number of the second; its last step does not count.
    assert head.loss(read_of(head, batch), batch).item() == pytest.approx((0.0 + 0.0 + 4.0 * OBS_DIM / 2) / 3)
    nothing = batch._replace(valid=torch.zeros(2, 2, dtype=torch.bool))
    assert head.loss(read_of(head, nothing), nothing).item() == 0.0


def test_after_a_burn_in_the_same_steps_are_told():
    head, batch = tells_ones(recurrent()), random_batch(batch=2, seq_len=3, burn_in=2)
    plain = batch._replace(
        observations=batch.observations[:, 2:], actions=batch.actions[:, 2:], valid=batch.valid[:, 2:], burn_in=0
    )
    assert torch.equal(head.loss(read_of(head, batch), batch), head.loss(read_of(head, plain), plain))


@pytest.mark.parametrize("with_successors", [False, True])
def test_each_step_is_told_by_what_was_read_at_it_and_the_action_taken_then(with_successors):
    """Step by step, after a burn-in, with steps that do not count."""
    network, batch = recurrent(), random_batch(batch=3, seq_len=4, burn_in=2)
    valid = batch.valid.clone()
    valid[1, 4:], valid[2, 3] = False, False
    seen = torch.randn(3, 4, OBS_DIM) if with_successors else None
    batch = batch._replace(valid=valid, successors=seen)
    head, joined = head_of(network), torch.randn(3, 5, network.width_read)
    errors = []
    for row in range(3):
        for step in range(4):
            after = batch.observations[row, 2 + step + 1] if seen is None else seen[row, step]
            action = torch.nn.functional.one_hot(batch.actions[row, 2 + step], 2).float()
            told = head.answer(torch.relu(head.lookup[0](torch.cat([joined[row, step], action]))))
            if valid[row, 2 + step]:
                errors.append(0.5 * (told - after).square().sum())
    assert len(errors) == 9
    torch.testing.assert_close(head.loss(joined, batch), sum(errors) / 9)


def test_where_an_episode_ends_within_a_window_it_is_told_what_was_seen_at_its_end_and_not_at_the_next_ones_start():
    head, batch = tells_ones(recurrent()), random_batch(batch=1, seq_len=2)
    batch = batch._replace(successors=torch.full((1, 2, OBS_DIM), 4.0))
    assert head.loss(read_of(head, batch), batch).item() == pytest.approx(9.0 * OBS_DIM / 2)


def test_the_answer_follows_from_what_was_read_and_from_the_action():
    network = recurrent()
    head, read = head_of(network), torch.randn(2, 3, network.width_read)
    actions = torch.tensor([[0, 1, 0], [0, 0, 0]])
    told = head(read, actions)
    assert told.shape == (2, 3, OBS_DIM)
    changed = (head(read, actions.index_fill(1, torch.tensor([0]), 1)) != told).any(dim=-1)
    assert changed.tolist() == [[True, False, False], [True, False, False]]
    assert not torch.allclose(head(read + torch.randn(network.width_read), actions), told)


def test_images_are_told_as_the_network_takes_them():
    """Bytes of 255 are 1 to a network, so a head that tells ones is right about them."""
    image = Image(slice(0, 4), 1, 2, 2, channels_first=False, low=0.0, high=255.0)
    layout = ObservationLayout({"seen": slice(0, 4)}, images=(image,))
    config = SeeingFeedForward(kind="feed_forward", hidden=(6,), image=Images(channels=(2,)))
    head = tells_ones(make_network(config, layout, 2))
    batch = random_batch(batch=1, seq_len=2)._replace(observations=torch.full((1, 3, 4), 255.0))
    assert head.loss(read_of(head, batch), batch).item() == 0.0


def test_the_loss_counts_as_the_level_says_in_what_is_learned_and_not_in_the_loss_that_is_told():
    """Twice the weight is twice the difference from the gradient of values alone."""
    gradients = []
    for weight in (0.5, 1.0):
        network = recurrent()
        learner = learner_with(network, head_of(network, weight=weight), max_grad_norm=1e9)
        told = learner.update(random_batch())
        gradients.append(network.cell.weight_hh_l0.grad.clone())
    alone = learner_with(recurrent(), None, max_grad_norm=1e9)
    plain = alone.update(random_batch())
    without = alone.network.cell.weight_hh_l0.grad
    torch.testing.assert_close(gradients[1] - without, 2.0 * (gradients[0] - without))
    assert not torch.equal(gradients[0], without)
    assert torch.equal(plain.metrics["train/loss"], told.metrics["train/loss"])
    assert "train/prediction_loss" in told.metrics and "train/prediction_loss" not in plain.metrics


def test_alone_it_is_all_that_what_is_read_is_learned_from():
    """Other rewards are other values, and change nothing but how values are read."""

    def learned(alone, rewards):
        network = recurrent()
        learner = learner_with(network, head_of(network, alone=alone), max_grad_norm=1e9)
        learner.update(random_batch()._replace(rewards=torch.full((4, 5), rewards)))
        return {name: weight.grad for name, weight in network.named_parameters()}

    def of_values(alone):
        one, two = learned(alone, 1.0), learned(alone, 2.0)
        return {name.split(".")[0] for name, gradient in one.items() if not torch.equal(gradient, two[name])}

    assert of_values(alone=True) == {"head", "value"}
    assert of_values(alone=False) == {"encoder", "cell", "head", "value"}


def test_over_shares_every_step_counts_alike_however_many_a_share_learns_from():
    batch = random_batch(batch=6)
    valid = torch.zeros_like(batch.valid)
    valid[0, -1], valid[1, 0], valid[3:] = True, True, True
    batch = batch._replace(valid=valid)

    def learner_of(share):
        return QLearner(network := recurrent(), make_training(), prediction=head_of(network), share=share)

    (told, same), expected = learned_in_parts_and_whole(learner_of, batch)
    assert told == same
    for name in ("train/prediction_loss", "train/loss", "train/grad_norm"):
        torch.testing.assert_close(told[name], expected[name])


def test_memory_learns_to_keep_what_comes_again():
    """What is seen comes again two steps later. Who does not remember is wrong by its variance, 1 a number.

    Rewards are 0, so values teach nothing. Without a gradient through what is read the loss stays above 0.8.
    """
    torch.manual_seed(0)
    network, rate = recurrent(config=joint(hidden=16)), {"learning_rate": 0.02, "final_learning_rate": 0.02}
    learner = learner_with(network, head_of(network, weight=1.0, width=32), gamma=0.0, **rate)
    batch, losses = random_batch(batch=64)._replace(rewards=torch.zeros(64, 5)), []
    later = torch.tensor([False, True, True, True, True]).expand(64, 5)  # of the first step nobody can know
    for _ in range(150):
        twice = torch.randn(64, 2, OBS_DIM).repeat(1, 3, 1)
        batch = batch._replace(observations=twice, hidden=network.initial_hidden(64), valid=later)
        losses.append(float(learner.update(batch).metrics["train/prediction_loss"]) / (OBS_DIM / 2))
    assert losses[0] > 0.9 and sum(losses[-10:]) / 10 < 0.3


def test_an_update_changes_the_head_too_and_a_saved_learner_goes_on_with_it():
    network = recurrent()
    learner = learner_with(network, head_of(network))
    before = copy_of(learner.prediction.state_dict())
    learner.update(random_batch())
    assert set(differences(before, copy_of(learner.prediction.state_dict()))) == {f".{name}" for name in before}
    other = learner_with(recurrent(), head_of(recurrent()))
    other.load_state_dict(learner.state_dict())
    assert differences(learner.prediction.state_dict(), other.prediction.state_dict()) == []


def test_gradient_steps_that_are_captured_learn_the_same():
    plain, captured = (
        QLearner(network := recurrent(), make_training(), capture=capture, prediction=head_of(network))
        for capture in (False, True)
    )
    for seed in range(3):
        plain.update(random_batch(seed=seed))
        captured.update(random_batch(seed=seed))
    torch.testing.assert_close(plain.network.state_dict(), captured.network.state_dict())
    torch.testing.assert_close(plain.prediction.state_dict(), captured.prediction.state_dict())


@pytest.mark.parametrize("mode", ["fresh", "replay"])
def test_a_population_learns_from_it_in_either_way(mode):
    wanted = {"weight": 0.5, "width": 8}
    population, plain = make_population(mode, training__prediction=wanted), make_population(mode)
    told = [population.step() for _ in range(40)]
    for _ in range(40):
        plain.step()
    losses = [float(one["train/prediction_loss"]) for one in told if one]
    assert len(losses) > 1 and all(loss > 0.0 for loss in losses)
    assert differences(copy_of(population.network.state_dict()), copy_of(plain.network.state_dict()))


def test_newest_windows_bring_what_each_step_led_to_also_where_an_episode_ends():
    """Lives end at 12 steps at most, windows have 8: what follows a last step is of the life that ended."""
    population, seen = make_population("fresh", training__prediction={"weight": 0.5}), []
    update = population.learner.update
    population.learner.update = lambda batch: (seen.append(batch), update(batch))[1]
    for _ in range(32):
        population.step()
    ends = [(batch, batch.reset[:, 1:]) for batch in seen]
    assert any(bool(end[:, :-1].any()) for _, end in ends)
    for batch, end in ends:
        within = batch.observations[:, 1:]
        assert torch.equal(batch.successors[~end], within[~end])
        assert not (batch.successors[:, :-1][end[:, :-1]] == within[:, :-1][end[:, :-1]]).all(dim=-1).any()


def test_without_memory_what_is_seen_now_tells_what_comes_next():
    told, plain = feed_forward(), feed_forward()
    learner_with(told, head_of(told)).update(random_batch())
    learner_with(plain, None).update(random_batch())
    assert differences(copy_of(told.body.state_dict()), copy_of(plain.body.state_dict()))


def test_a_network_that_does_not_say_what_it_reads_is_refused():
    with pytest.raises(ConfigError) as refused:
        make_prediction(WANTED, Spy())
    expected = "null, since Spy has a forward of its own in place of read and values"
    assert str(refused.value) == f"training.prediction: expected {expected}, got a weight of 0.5"
