"""`python -m townlet.bench memory`, in this process, on a plan of its own."""

import json

import pytest
import torch

from support.benchmarks import SMALL
from townlet.bench import __main__ as command
from townlet.bench.memory import command as memory_command
from townlet.bench.memory import plan
from townlet.bench.memory.trials import run_trial
from townlet.bench.probe import command as probe_command
from townlet.config import ConfigError, load_gym_task

PLAN = """
peer: {num_envs: 2, n_steps: 64, batch_size: 32, learning_rate: 0.0003, gamma: 0.99, hidden: 8}
peer_seeds: 1
rows:
  balance: {task: TASK, settings: SETTINGS, bar: 5.0, agents: [recurrent, control]}
  balance-again: {task: TASK, settings: SETTINGS, bar: 1000.0, agents: [recurrent]}
"""


@pytest.fixture
def bench(tmp_path, capsys):
    """Run the command on a small plan; returns its exit code and what it said."""
    settings = json.dumps({**SMALL, "training.total_steps": 128})
    task = json.dumps(str(plan.configs_directory() / "gym.yaml"))
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("TASK", task).replace("SETTINGS", settings))

    def run(*arguments):
        files = ["--plan", str(path), "--json", str(tmp_path / "results.json"), "--jobs", "1"]
        try:
            code = command.main(["memory", *files, *arguments])
        except SystemExit as stopped:
            code = stopped.code
        return code, capsys.readouterr()

    return run


@pytest.fixture
def here(monkeypatch):
    """Run trials in this process, one after the other: see test_trials for those side by side."""

    def run(trials, processes, look):
        for trial in trials:
            news = []
            with torch.random.fork_rng():
                record = run_trial(trial, news.append)
            look(news)
            yield trial, record

    monkeypatch.setattr(memory_command, "run_side_by_side", run)


def test_all_rows_are_run_kept_shown_and_drawn(bench, here, tmp_path):
    code, said = bench("--seeds", "1", "--markdown", str(tmp_path / "page.md"), "--plot", str(tmp_path / "drawn"))
    assert code == 0, said
    trials = json.loads((tmp_path / "results.json").read_text())["trials"]
    assert list(trials) == ["balance/recurrent/100", "balance/control/100", "balance-again/recurrent/100"]
    assert "balance/recurrent/100: reached 5 after 64 steps" in said.out
    assert "balance-again/recurrent/100: return" in said.out
    assert "1 of 1" in said.out and "0 of 1" in said.out
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"balance.png", "balance-again.png"}
    assert "| balance-again | 1000 | recurrent |" in (tmp_path / "page.md").read_text()


def test_a_second_call_runs_only_what_is_missing(bench, here, tmp_path):
    results = tmp_path / "results.json"
    bench("--seeds", "1", "--tasks", "balance")
    kept = json.loads(results.read_text())
    kept["trials"].pop("balance/control/100")
    kept["trials"]["balance/recurrent/100"]["mark"] = "first"
    results.write_text(json.dumps(kept))
    code, said = bench("--seeds", "1", "--tasks", "balance")
    trials = json.loads(results.read_text())["trials"]
    assert code == 0
    assert trials["balance/recurrent/100"]["mark"] == "first" and "balance/control/100" in trials
    assert [path.name for path in tmp_path.glob("*.png")] == ["balance.png"]  # beside the results
    assert "balance/recurrent/100: " not in said.out and "balance/control/100: " in said.out


def test_trials_are_those_of_the_seeds_and_contestants_that_are_asked_for(bench, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(memory_command, "check_packages", lambda _: None)
    monkeypatch.setattr(
        memory_command, "run_side_by_side", lambda trials, jobs, look: asked.append((trials, jobs)) or []
    )
    path = tmp_path / "plan.yaml"
    path.write_text(path.read_text().replace("[recurrent, control]", "[recurrent, peer]"))
    flags = ["--tasks", "balance", "--seeds", "2"]
    for more in ([], ["--first-seed", "7", "--no-peers", "--jobs", "3"]):
        assert bench(*flags, *more)[0] == 0
    (everybody, jobs), (ours, more_jobs) = asked
    assert {(one.agent, one.seed) for one in everybody} == {("recurrent", 100), ("recurrent", 101), ("peer", 100)}
    assert [(one.agent, one.seed) for one in ours] == [("recurrent", 7), ("recurrent", 8)]
    assert (jobs, more_jobs) == (1, 3)


def test_a_run_that_is_to_be_probed_is(monkeypatch):
    monkeypatch.setattr(probe_command, "main", lambda words: 7 if "latest" in words[-1] else 0)
    assert [command.main(["memory", *words]) for words in (["--probe", "latest"], ["--probe=latest"])] == [7, 7]


def test_an_unknown_row_is_one_line_and_exit_code_2(bench):
    code, said = bench("--tasks", "balanse")
    assert code == 2
    assert said.err == "--tasks: expected some of balance, balance-again, got balanse; did you mean 'balance'?\n"


def test_broken_results_are_one_line_and_exit_code_1(bench, tmp_path):
    (tmp_path / "results.json").write_text("?")
    code, said = bench()
    assert code == 1
    assert said.err.startswith("townlet bench memory: ") and said.err.count("\n") == 1


@pytest.mark.parametrize(("words", "got"), [([], "nothing"), (["memry"], "'memry'; did you mean 'memory'?")])
def test_a_wrong_word_is_one_line(words, got, capsys):
    assert command.main(words) == 2
    said = capsys.readouterr()
    expected = "expected one of env, learner, memories, train, scale, gpu, memory, recall"
    assert said.err == f"townlet bench: {expected}, got {got} (see townlet bench --help)\n"


def test_the_shipped_plan_is_right_and_tells_recipes_of_seeds_apart():
    trials = plan.trials_of(plan.load_plan(), None, seeds=range(2), peers=True)
    assert len({trial.key for trial in trials}) == len(trials)
    assert len({(trial.row, trial.agent, trial.recipe) for trial in trials}) == len(trials)
    assert not any(
        trial.agent == "peer" for trial in plan.trials_of(plan.load_plan(), None, seeds=range(1), peers=False)
    )
    assert [trial.seed for trial in trials] == sorted(trial.seed for trial in trials)  # a whole seed before the next


def test_the_peer_has_fewer_seeds_and_a_budget_of_its_own(tmp_path):
    path = tmp_path / "plan.yaml"
    text = PLAN.replace("SETTINGS", "{}").replace("TASK", json.dumps(str(plan.configs_directory() / "gym.yaml")))
    path.write_text(text.replace("[recurrent, control]", "[control, peer]"))
    path.write_text(path.read_text().replace("bar: 5.0,", "bar: 5.0, budgets: {peer: 77},"))
    trials = plan.trials_of(plan.load_plan(str(path)), ["balance"], seeds=range(3), peers=True)
    assert [one.budget for one in trials] == [500_000, 77, 500_000, 500_000]  # the task's own but for the peer
    assert [(one.agent, one.seed) for one in trials] == [("control", 0), ("peer", 0), ("control", 1), ("control", 2)]


def test_a_level_of_the_town_is_no_row(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.replace("TASK", '"2"').replace("SETTINGS", "{}"))
    with pytest.raises(ConfigError, match=r"balance: expected a task of Gymnasium, got 2, a level of the town"):
        plan.trials_of(plan.load_plan(str(path)), None, seeds=range(1), peers=False)


def test_a_row_names_an_environment_in_the_place_of_a_tasks_or_by_the_recipe_of_gym(tmp_path):
    path, head = tmp_path / "plan.yaml", PLAN.partition("rows:")[0]
    rows = {
        "plain": "{gym: Acrobot-v1, bar: 1.0, agents: [recurrent]}",
        "lent": "{task: t-maze, gym: CartPole-v1, settings: {gym_options: {}}, bar: 1.0, agents: [recurrent]}",
    }
    path.write_text(head + "rows:\n" + "".join(f"  {name}: {row}\n" for name, row in rows.items()))
    plain, lent = plan.trials_of(plan.load_plan(str(path)), None, seeds=range(7, 8), peers=False)
    assert plain.task == load_gym_task("Acrobot-v1", overrides={"training.seed": 7})
    assert (lent.task.gym, lent.task.training.gamma) == ("CartPole-v1", 0.0)
    path.write_text(head + "rows: {none: {bar: 1.0, agents: [recurrent]}}\n")
    with pytest.raises(ConfigError, match=r"none: expected a task or gym, got neither"):
        plan.trials_of(plan.load_plan(str(path)), None, seeds=range(1), peers=False)


def test_the_shipped_plan_of_the_kit_changes_one_thing_a_row():
    trials = plan.trials_of(plan.load_plan("kit"), None, seeds=range(1), peers=False)
    assert len({trial.recipe for trial in trials}) == len(trials) > 15


def test_t_mazes_longer_than_the_benchs_own_have_a_plan_of_their_own():
    trials = plan.trials_of(plan.load_plan("t_maze"), None, seeds=range(1), peers=False)
    assert [trial.task.gym_options["length"] for trial in trials] == [100, 100, 500, 500, 1500, 1500, 5000, 5000]
    assert "t-maze-20" in plan.load_plan().rows


def test_the_twelve_tasks_of_popgym_differ_in_nothing_but_the_environment():
    trials = plan.trials_of(plan.load_plan("popgym"), None, seeds=range(1), peers=False)
    tasks = [trial.task for trial in trials if trial.agent == "recurrent"]
    assert len({task.gym for task in tasks}) == len(tasks) == 12
    assert len({task.model_copy(update={"gym": "", "id": "", "name": ""}).model_dump_json() for task in tasks}) == 1


def test_an_unknown_plan_is_told_with_those_that_there_are():
    with pytest.raises(
        ConfigError, match=r"--plan: expected one of kit, memory, popgym, t_maze or a path .* got memroy"
    ):
        plan.load_plan("memroy")
