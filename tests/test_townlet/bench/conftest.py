"""What measuring prepares is kept short: tests look at what is measured, and not at how long it takes."""

import pytest

from townlet.bench.speed import env, learner


@pytest.fixture(autouse=True)
def little_is_lived(monkeypatch):
    monkeypatch.setattr(learner, "LIVED_TICKS", 16)
    monkeypatch.setattr(env, "CHECKED_AGENTS", 8)
    monkeypatch.setattr(env, "CHECKED_STEPS", 20)
