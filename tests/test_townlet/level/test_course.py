"""What a level may say of curricula and curiosity: mistakes are told by their key."""

import re

import pytest

from townlet.config import ConfigError, load_gym_task, load_level

ANNEAL = "{weight: 1.0, hidden: [8], embedding: 4, learning_rate: 0.01, anneal: %s}"
RULE = "{episodes: 1, survival: 0.5, spread: 0.5, factor: 0.5}"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"sparse_reward": None}, "sparse_reward: expected a reward, since a stage of the curriculum counts it"),
        ({"training.curriculum": "null"}, "sparse_reward: expected null, since no stage of a curriculum counts it"),
        ({"sparse_reward": "{death: 0.0, milestones: []}"}, "sparse_reward: expected at least one term that is not 0"),
        ({"sparse_reward.wellbeing": "{joy: 1.0}"}, "sparse_reward.wellbeing.joy: expected one of energy, "),
        ({"training.curriculum.retreat_below": 0.7}, "retreat_below: expected less than advance_above, 0.7, got 0.7"),
        ({"training.curriculum.stages": "[{meters: [joy], passive: 0.5}, {passive: 1.0, reward: sparse}]"},
         "training.curriculum.stages[0].meters[0]: expected one of energy, "),
    ],
)  # fmt: skip
def test_stages_that_make_no_sense_are_refused(overrides, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_level("2-adversarial", overrides)


def test_only_a_town_has_stages_and_survival_needs_a_limit():
    stages = "{kind: adversarial, stages: [{passive: 0.5}, {passive: 1.0}], episodes: 2, min_stay: 1, " + (
        "advance_above: 0.7, retreat_below: 0.3, entropy_below: 0.5, temperature: 1.0}"
    )
    with pytest.raises(ConfigError, match=r"curriculum\.kind: expected static, since only a town can be made easier"):
        load_gym_task("CartPole-v1", overrides={"training.curriculum": stages})
    with pytest.raises(ConfigError, match=r"curiosity\.anneal: expected null without max_steps"):
        load_gym_task("CartPole-v1", overrides={"training.curiosity": ANNEAL % RULE})
    limited = {"training.curiosity": ANNEAL % RULE, "max_steps": 200}
    assert load_gym_task("CartPole-v1", overrides=limited).training.curiosity is not None
    assert (
        load_gym_task("CartPole-v1", overrides={"training.curiosity": ANNEAL % "null"}).training.curiosity is not None
    )
