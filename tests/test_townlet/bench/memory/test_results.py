"""Results: nothing that is done is lost or run again, and what seeds say together is worked out by hand."""

import json

import pytest

from support.benchmarks import PEER, make_record, make_trial
from townlet.bench.memory.results import Results, ResultsError, put_together, summarise


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "results.json"


def test_a_half_done_benchmark_goes_on_where_it_was(path):
    done, waiting = make_trial(seed=0), make_trial(seed=1)
    Results(path).keep(done, make_record(done, [1.0]))
    again = Results(path)
    assert again.has(done) and not again.has(waiting)
    again.keep(waiting, make_record(waiting, [2.0]))
    assert Results(path).has(done) and Results(path).has(waiting)


@pytest.mark.parametrize(
    "other",
    [
        make_trial(training__learning_rate=0.01),
        make_trial(network__hidden=9),
        make_trial(bar=0.5),
        make_trial(budget=129),
    ],
    ids=["learning rate", "network", "bar", "budget"],
)
def test_what_was_done_with_another_recipe_is_done_again(path, other):
    trial = make_trial()
    results = Results(path)
    results.keep(trial, make_record(trial, [1.0]))
    assert results.has(make_trial())
    assert not results.has(other)


def test_two_processes_keep_each_others_results(path):
    one, other = make_trial(seed=1), make_trial(seed=2)
    first, second = Results(path), Results(path)
    first.keep(one, make_record(one, [1.0]))
    second.keep(other, make_record(other, [2.0]))
    assert Results(path).has(one) and Results(path).has(other)


def test_settings_of_the_peer_matter_to_the_peer_alone(path):
    results, faster = Results(path), PEER.model_copy(update={"learning_rate": 0.1})
    for agent in ("peer", "control"):
        trial = make_trial(agent=agent)
        results.keep(trial, make_record(trial, [1.0]))
    assert not results.has(make_trial(agent="peer", peer=faster))
    assert results.has(make_trial(agent="control", peer=faster))


def test_the_file_says_on_which_machine(path):
    trial = make_trial()
    Results(path).keep(trial, make_record(trial, [1.0]))
    machine = json.loads(path.read_text())["machine"]
    assert {"cpu", "cpu_count", "torch", "python"} <= machine.keys()


@pytest.mark.parametrize("content", ["no json", "[]", '{"trials": {}}'])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(ResultsError, match=r"mine.json: expected the results of a benchmark, got "):
        Results(path)
    assert path.read_text() == content


def test_the_mean_over_rows_is_that_of_seeds_that_did_all_of_them_by_hand():
    """Seed 0 has 0.5 and -1, seed 1 has 1 and 0; seed 2 did one row, and the peer has but one."""
    trials = [make_trial(row, "recurrent", seed) for seed in range(3) for row in ("a", "b")]
    trials.append(make_trial("a", "peer", 0))
    ends = {("a", 0): 0.5, ("b", 0): -1.0, ("a", 1): 1.0, ("b", 1): 0.0, ("a", 2): -9.0}
    grouped = {}
    for trial in trials:
        if (end := ends.get((trial.row, trial.seed))) is not None:
            grouped.setdefault((trial.row, trial.agent), []).append(make_record(trial, [7.0, end]))
    (found,) = put_together(trials, grouped)
    assert (found.agent, found.rows, found.seeds) == ("recurrent", 2, 2)
    assert found.score == (0.125, -0.25, 0.5)


def test_records_are_grouped_by_row_and_agent_as_the_trials_are_listed(path):
    results = Results(path)
    trials = [
        make_trial(row, agent, seed) for seed in (0, 1) for row in ("b", "a") for agent in ("recurrent", "control")
    ]
    for trial in reversed(trials[:-1]):
        results.keep(trial, make_record(trial, [1.0]))
    grouped = results.of(trials)
    assert list(grouped) == [("b", "recurrent"), ("b", "control"), ("a", "recurrent"), ("a", "control")]
    assert [record["seed"] for record in grouped["b", "recurrent"]] == [0, 1]
    assert [record["seed"] for record in grouped["a", "control"]] == [0]


def test_a_summary_by_hand():
    """Two of three seeds reach the bar, after 200 and 400 steps; the last returns are 1, 1 and 0.4."""
    records = [
        make_record(make_trial(seed=0), [0.5, 1.0, 1.0], solved=1),
        make_record(make_trial(seed=1), [0.1, 0.2, 0.3, 1.0, 1.0], solved=3),
        make_record(make_trial(seed=2), [0.2, 0.4]),
    ]
    summary = summarise("balance", "recurrent", records)
    assert (summary.seeds, summary.solved, summary.parameters, summary.bar) == (3, 2, 50, 1000.0)
    assert summary.score.mean == pytest.approx(0.8)
    assert summary.steps == (300.0, 200.0, 400.0)
    assert summary.seconds == (6.0, 4.0, 8.0)


def test_where_no_seed_reaches_the_bar_there_are_no_steps_to_it():
    summary = summarise("balance", "control", [make_record(make_trial(), [0.5])])
    assert (summary.solved, summary.steps, summary.seconds) == (0, None, None)
