"""What the tests of trainings from Python share."""

import pytest

import townlet
from support.rooms import room, write_level


@pytest.fixture
def learn(tmp_path):
    """`townlet.learn` in the room, silently and on the CPU."""
    level = write_level(tmp_path, room())

    def learned(*arguments, **keywords):
        asked = {"device": "cpu", "progress": False, "runs_dir": tmp_path, **keywords}
        if not (arguments or asked.keys() & {"level", "resume", "gym", "curriculum"}):
            asked["level"] = level
        return townlet.learn(*arguments, **asked)

    return learned
