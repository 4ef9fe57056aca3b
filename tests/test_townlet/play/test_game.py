"""A life by hand beside that of a policy, in a room whose survival is known by counting."""

import io

import pytest
import torch
from rich.console import Console

from support.rooms import room, write_level
from townlet.agent.networks import make_network
from townlet.commands.lives.play import bindings, take
from townlet.config import load_level
from townlet.environment.observation import lay_out
from townlet.play.game import Ended, Game, result_of
from townlet.play.picture import deal, picture

LEFT, RIGHT, INTERACT, WAIT = range(4)


@pytest.fixture
def level(tmp_path):
    """Seven cells in a row, of which three are seen; breath lasts for five ticks."""
    return load_level(write_level(tmp_path, room(grid__width=7, affordances__Lamp__place=[5, 0])))


def network_that_chooses(level, action):
    """A network whose values are largest for one action, whatever it sees."""
    network = make_network(level.network, lay_out(level), len(level.actions))
    with torch.no_grad():
        for part in network.parameters():
            part.zero_()
        list(network.parameters())[-1][action] = 1.0
    return network


def test_a_life_ends_where_the_rules_end_it_and_is_told(level):
    game = Game(level, seed=1)
    for _ in range(5):
        assert game.ended == [None]
        game.act(WAIT)
    assert game.ended == [Ended(5, "breath")] and game.scene.dead
    assert result_of(game) == "You died of breath after 5 steps."


def test_the_policy_begins_where_the_person_does_and_neither_moves_the_other(level):
    game = Game(level, 1, network_that_chooses(level, RIGHT))
    assert game.scene == game.beside
    x = game.scene.x
    game.act(LEFT)
    assert (game.scene.x, game.beside.x) == (max(x - 1, 0), min(x + 1, 6))


def test_who_lived_longer_is_told_when_the_policy_has_lived_on_alone(level, tmp_path):
    tougher = level.model_copy(update={"max_steps": 4})  # nobody dies before
    game = Game(tougher, 1, network_that_chooses(level, WAIT))
    for _ in range(4):
        game.act(WAIT)
    game.finish()
    assert game.ended == [Ended(4, None), Ended(4, None)]
    assert result_of(game) == (
        "You lived all 4 steps; the agent, from the same place on the same map, lived all 4 steps. Equally long."
    )
    game.ended = [Ended(3, "breath"), Ended(4, None)]
    assert result_of(game).endswith("The agent lived longer.")
    game.ended = [Ended(4, None), Ended(3, "breath")]
    assert result_of(game).endswith("You lived longer.")


def test_of_two_lives_the_ended_one_stands_still(level):
    game = Game(level, 1, network_that_chooses(level, WAIT))
    for _ in range(5):
        game.act(WAIT)
    assert game.ended[0] == game.ended[1] == Ended(5, "breath")
    still = [part.clone() for part in game.state]
    game._step(RIGHT)
    assert all(torch.equal(*pair) for pair in zip(still, game.state, strict=True))


def test_what_was_seen_stays_on_the_screen_and_what_was_not_lies_in_fog(level):
    game = Game(level, seed=1)
    start = game.scene.x
    seen = {x for x in range(7) if abs(x - start) <= 1}
    assert {x for x, _ in game.seen} == seen
    step = RIGHT if start < 3 else LEFT
    game.act(step)
    assert {x for x, _ in game.seen} == seen | {start + (2 if step == RIGHT else -2)}
    fog = shown(game).splitlines()[3][: 3 * 7].count("\N{LIGHT SHADE}")
    assert fog == 3 * (7 - len(game.seen))


def shown(game):
    """The screen as text."""
    screen = Console(width=100, file=io.StringIO())
    screen.print(picture(game, "what became of it", "keys"))
    return screen.file.getvalue()


def test_the_screen_says_what_is_here_what_was_seen_and_how_both_fare(level):
    game = Game(level, 1, network_that_chooses(level, WAIT))
    while game.scene.x > 0 and game.ended[0] is None:
        game.act(LEFT)
    text = shown(game)
    x, _ = next(cell for cell, index in game.scene.places.items() if index == 0)
    assert ("here: Chair, brings 0.1 calm" in text) == (x == 0)
    assert "C Chair" in text if (x, 0) in game.seen else "no place seen yet" in text
    assert "the agent (&) lives, lowest is" in text and "what became of it" in text


def test_a_deal_is_told_by_what_it_takes_and_what_it_brings():
    level = load_level("3")
    told = {name: deal(level, one) for name, one in level.affordances.items()}
    assert told["Bed"] == "takes 0.05 money and brings 0.5 energy, 0.02 health, 5 ticks"
    assert (
        told["Job"] == "takes 0.15 energy, 0.03 health and brings 0.11 money, 0.02 social, 4 ticks, open from 8 to 18"
    )


def test_keys_stand_for_actions_that_the_level_has_and_what_is_not_possible_is_told(level):
    pressed = bindings(level)
    assert pressed["a"] == pressed["\x1b[D"] == LEFT and pressed[" "] == INTERACT
    assert "w" not in pressed  # a room without UP
    game = Game(level, seed=1)
    assert take(game, pressed, "z") == "no such key" and game.scene.tick == 0
    game.state = game.state._replace(x=torch.zeros_like(game.state.x))
    assert take(game, pressed, "A") == "left: not possible here and now, so the step went by"
    assert game.scene.tick == 1
    assert take(game, pressed, "d") == "" and game.scene.x == 1


def test_an_action_that_is_none_is_refused(level):
    with pytest.raises(ValueError, match="action: expected 0 to 3, got 4"):
        Game(level, seed=1).act(4)
