"""How fast a run goes is told since the record before."""

from types import SimpleNamespace

from townlet.run import pace
from townlet.run.pace import Pace


def test_a_record_tells_the_rate_and_each_parts_share_of_the_time_since_the_one_before(monkeypatch):
    now, population = [100.0], SimpleNamespace(env_steps=0, seconds={"act": 1.0, "world": 0.0})
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    one, told = Pace(), []
    one.begin(population)
    for seconds, steps, act, world in ((10.0, 500, 6.0, 2.5), (4.0, 1000, 1.0, 3.0)):
        now[0] += seconds
        population.env_steps += steps
        population.seconds = {"act": population.seconds["act"] + act, "world": population.seconds["world"] + world}
        told.append(one.since_record(population))
    assert told == [
        {"time/fps": 50.0, "time/act_share": 0.6, "time/world_share": 0.25},
        {"time/fps": 250.0, "time/act_share": 0.25, "time/world_share": 0.75},
    ]
