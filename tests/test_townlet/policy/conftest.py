"""A run that is trained for a moment, once for all tests of the room."""

import pytest

from support.rooms import room, train_briefly

# Breath lasts for five ticks; who sits gets some back, and may live to the limit of nine.
BREATHING = room(affordances__Chair__effects={"breath": 0.5}, network__previous_action=True)


@pytest.fixture(scope="package")
def run(tmp_path_factory):
    """A run in a room, saved after 16 and after 32 steps."""
    return train_briefly(tmp_path_factory.mktemp("runs"), BREATHING, "run", "--checkpoint-every", "16")
