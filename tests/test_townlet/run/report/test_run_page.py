"""The page of a run says what was recorded, needs nothing else, and lets no name out of where it stands."""

import base64
import hashlib
import json
import re

import pytest

from support.reports import page_of, write_run
from support.rooms import room, write_level
from townlet.config import load_gym_task, load_task, resolved_config
from townlet.run.metrics import MetricsStore
from townlet.run.report.run_page import write_report


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run = write_run(tmp_path_factory.mktemp("runs"), "a run")
    (run / "checkpoints" / "step_000000300").mkdir(parents=True)
    (run / "checkpoints" / "best.json").write_text('{"checkpoint": "step_000000300", "score": 6.5}')
    (run / "replays").mkdir()
    (run / "replays" / "one #1.replay").write_bytes(b"")
    command = ["/anywhere/train.py", "--level", "2", "--set", "training.mode={kind: fresh}"]
    (run / "meta.json").write_text(
        json.dumps({"townlet": "0.1.0", "git_commit": "abc", "git_dirty": True, "command": command})
    )
    return run


@pytest.fixture(scope="module")
def page(run):
    return page_of(run)


def curves(page, title):
    """The named curves of a chart: their values by step."""
    return {
        one["name"]: dict(zip(one["steps"], one["values"], strict=True))
        for one in page.charts[title]["curves"]
        if one["name"]
    }


# --- what it says --------------------------------------------------------------------------------------------------


def test_the_main_figures_are_those_that_were_recorded(page):
    tiles = [re.sub(r"\s+", " ", text) for text in page.texts("li")]
    assert tiles[0] == "greedy survival6.5of 9"
    assert tiles[1] == "memory is worth+2.5survival lost without it"
    assert tiles[2:] == [
        "survival in training4over the last tenth",
        "episodes that end in death40%over the last tenth",
        "steps a second1,800in training, on average",  # 100 at 1,000 and 200 at 3,000
    ]
    sentence = (
        "After 300 steps, 4 greedy episodes on unseen maps: survival 6.5 of 9. With its memory zeroed before each"
    )
    assert any(text.startswith(sentence) and " step it comes to 4." in text for text in page.texts("p"))


def test_curves_are_drawn_beside_what_is_known(page):
    assert curves(page, "Survival") == {"in training": {100: 3, 300: 4}, "greedy, evaluated": {100: 4.5, 300: 6.5}}
    assert page.charts["Survival"]["yardsticks"] == [{"name": "limit 9", "value": 9}]
    assert curves(page, "What memory is worth") == {"gap": {100: 0.5, 300: 2.5}}
    assert curves(page, "Loss and TD error") == {"loss": {100: 0.5, 300: 0.25}, "TD error": {100: 0.25, 300: 0.125}}
    assert curves(page, "breath") == {"breath": {100: 0.5, 300: 0.25}}
    assert curves(page, "Where the time goes") == {"act": {100: 25, 300: 75}}


def test_lives_end_by_their_causes_and_by_the_limit_in_shares_of_all(page):
    assert curves(page, "How lives end") == {"breath": {100: 80, 300: 40}, "lived to the limit": {100: 20, 300: 60}}


def test_places_are_told_by_their_uses_in_steps_at_first_and_at_last(page):
    (uses,) = (rows for rows in page.tables if rows[0][:2] == ["place", "first tenth"])
    assert uses[1:] == [["Chair", "4", "15", ""]]  # 4 in 100 steps, 30 in 200


def test_the_newest_evaluation_says_where_agents_spend_their_time(page):
    heads, chair, elsewhere = page.rows("place")
    assert heads[:2] == ["place", "% of steps"]
    assert (chair, elsewhere) == (["Chair", "65", ""], ["elsewhere", "35", ""])  # 13 of 20, before 2 of 10
    assert page.rows("row") == [["row", "column 1", "column 2", "column 3"], ["1", "75", "20", "5.0"]]
    cells = [(one["fill-opacity"], one["width"]) for one in page.attributes("rect") if one["class"] == "cell"]
    assert cells == [("1.00", "100"), ("0.27", "100"), ("0.07", "100")]  # 15, 4 and 1 of the most, 15
    assert page.texts("text") == ["75", "20", "5.0"]  # no names: each map has them in other cells
    (said,) = (text for text in page.texts("figcaption") if "Where the population" in text)
    assert said.endswith(
        "% of the 20 steps of greedy agents, after 300 steps of training. Each map has its places in other cells."
    )
    drawn = [(one["class"], one["width"], one["x"]) for one in page.attributes("rect") if "x" in one]
    assert drawn[:2] == [("now", "100.0", "0"), ("before", "1", "30.5")]  # 20 of 65 per cent


def test_a_map_that_never_changes_is_drawn_with_its_places(tmp_path):
    page = page_of(write_run(tmp_path, layout={"kind": "fixed"}))
    assert page.texts("text") == ["Chair", "75", "20", "5.0"]
    assert not any("Each map" in text for text in page.texts("figcaption"))


def test_a_large_map_is_drawn_without_words_and_a_huge_one_without_a_table(tmp_path):
    for side, told in ((19, True), (21, False)):
        run = write_run(tmp_path / str(side), grid__width=side, grid__height=side)
        visits = {"cells": [[side - x for x in range(side)]] * side, "places": {"Chair": 1}}
        store = MetricsStore(run / "metrics.sqlite")
        store.write_evaluation(400, {"episodes": 4, "mean_ep_length": 6.5, "visits": visits}, elapsed=400.0)
        store.close()
        page = page_of(run)
        (drawn,) = (one for one in page.attributes("svg") if one.get("role") == "img")
        assert int(drawn["width"]) <= 560 and len(page.texts("g")) == side * side
        assert page.texts("text") == []
        assert any(rows[0][0] == "row" for rows in page.tables) is told


def test_evaluations_that_did_not_count_draw_no_map(tmp_path):
    run = write_run(tmp_path)
    store = MetricsStore(run / "metrics.sqlite")
    for step in (100, 300):
        store.write_evaluation(step, {"episodes": 4, "mean_ep_length": 6.5, "deaths": {}}, elapsed=float(step))
    store.close()
    page = page_of(run)
    assert "g" not in [tag for tag, *_ in page.elements] and page.rows("place")[0][1] == "first tenth"


def test_names_are_told_in_words(tmp_path):
    run = write_run(tmp_path)
    (run / "config.yaml").write_text(resolved_config(load_task(write_level(tmp_path, room(name="long_row")))))
    assert page_of(run).texts("h1") == ["Level room: long row"]


def test_numbers_of_every_chart_stand_below_it(page):
    assert (
        len([one for one in page.attributes("figure") if one["class"] != "map"])
        == len(page.charts)
        == len([one for one in page.attributes("div") if "data-chart" in one])
    )
    assert page.rows("environment steps, all agents")[1:] == [["100", "3", "4.5"], ["300", "4", "6.5"]]


def test_evaluations_are_listed_the_newest_first_without_columns_that_say_nothing(page):
    heads, *rows = page.rows("steps")
    assert heads == ["steps", "survival", "standard deviation", "reward", "lived to the limit", "memory gap", "breath"]
    assert rows == [["300", "6.5", "0.5", "5", "0.75", "2.5", "1"], ["100", "4.5", "0.5", "5", "0.75", "0.5", "1"]]


def test_what_stayed_as_it_was_is_a_sentence_and_no_chart(page, tmp_path):
    assert "12.5% of actions were random (epsilon), from the first step to the last." in page.texts("p")
    assert "Exploration" not in page.charts
    store = MetricsStore((other := write_run(tmp_path)) / "metrics.sqlite")
    store.write_scalars(300, {"train/epsilon": 0.0625}, elapsed=1.0)
    store.close()
    assert curves(page_of(other), "Exploration") == {"epsilon": {100: 0.125, 300: 0.0625}}


def test_it_tells_how_to_repeat_the_run(page, run):
    begun, again = page.texts("pre")[1:]
    assert begun == "python -m townlet.train --level 2 --set 'training.mode={kind: fresh}'"
    assert again == f"python -m townlet.train --level '{run}/config.yaml'"
    assert page.texts("pre")[0] == (run / "config.yaml").read_text()
    assert {"0.1.0", "abc", "the source had some that no commit holds"} <= set(page.texts("dd"))


def test_a_shipped_level_is_told_by_what_differs_from_it(tmp_path):
    run = write_run(tmp_path)
    (run / "config.yaml").write_text(resolved_config(load_task("1", {"training.num_agents": 32})))
    assert page_of(run).rows("setting")[1:] == [
        ["training.num_agents", f"{load_task('1').training.num_agents:,}", "32"]
    ]
    (run / "config.yaml").write_text(resolved_config(load_task("1")))
    assert "Nothing differs from the level as it is shipped." in page_of(run).texts("p")


def test_a_task_of_gymnasium_has_a_page_without_what_it_has_not(tmp_path):
    run = write_run(tmp_path)
    (run / "config.yaml").write_text(resolved_config(load_gym_task("CartPole-v1")))
    (run / "metrics.sqlite").unlink()
    store = MetricsStore(run / "metrics.sqlite")
    store.write_scalars(64, {"rollout/ep_rew_mean": 20.0, "rollout/ep_len_mean": 20.0, "train/loss": 1.0}, elapsed=1.0)
    store.write_evaluation(64, {"episodes": 2, "mean_reward": 22.0, "mean_ep_length": 22.0, "deaths": {}}, elapsed=1.0)
    store.close()
    page = page_of(run)
    assert list(page.charts) == ["Return", "Loss and TD error"]
    assert page.texts("h2") == ["What is learned", "Evaluations", "Configuration", "To repeat it", "Files"]
    assert page.texts("li") == ["greedy return22on unseen seeds", "return in training20over the last tenth"]


def test_a_run_of_which_nothing_is_recorded_yet_has_a_page(tmp_path):
    run = write_run(tmp_path)
    (run / "metrics.sqlite").unlink()
    MetricsStore(run / "metrics.sqlite").close()
    page = page_of(run)
    assert page.charts == {} and "No evaluation yet: survival is told from the first one on." in page.texts("p")


# --- what it needs -------------------------------------------------------------------------------------------------


def test_it_refers_to_nothing_outside_its_folder(page, run):
    referring = [
        (tag, name) for tag, attributes, _ in page.elements for name in attributes if name in ("src", "srcset", "style")
    ]
    assert (
        referring == []
        and [one["href"] for one in page.attributes("link")] == ["data:,"]
        and not page.attributes("iframe")
    )
    assert all((address or "").startswith("./") for address in (one["href"] for one in page.attributes("a")))
    for style in page.texts("style"):
        assert "url(" not in style and "@import" not in style
    for script in page.texts("script"):
        assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import|eval|Function)\(", script)


def test_links_lead_to_the_files_of_the_run_from_wherever_the_page_lies(run, page, tmp_path):
    (address,) = (one["href"] for one in page.attributes("a") if "replay" in (one["href"] or ""))
    assert address == "./replays/one%20%231.replay"
    out = run.parent / "elsewhere" / "page.html"
    out.parent.mkdir()
    write_report(load_task(run / "config.yaml"), run, out)
    assert 'href="./../a%20run/replays/one%20%231.replay"' in out.read_text()
    assert "step_000000300</a> (best)" in out.read_text()


def test_its_policy_lets_in_the_scripts_and_styles_that_it_was_written_with_and_nothing_else(page):
    (policy,) = (one["content"] for one in page.attributes("meta") if one.get("http-equiv"))
    rules = dict(rule.split(" ", 1) for rule in (policy or "").split("; "))
    assert rules["img-src"] == "data:" and rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    written = {"script-src": page.texts("script")[1:], "style-src": page.texts("style")}
    for kind, texts in written.items():
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        assert rules[kind].split() == [f"'sha256-{digest}'" for digest in digests] and len(digests) == 2


HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)> & \u2028 ${title} é"


def test_no_name_or_text_gets_out_of_where_it_stands(tmp_path):
    run = write_run(tmp_path, "<b>run", description=HOSTILE)
    store = MetricsStore(run / "metrics.sqlite")
    store.write_scalars(300, {f"meters/{HOSTILE}_mean": 0.5, f"affordance/{HOSTILE}_uses": 1.0}, elapsed=1.0)
    store.close()
    (run / "meta.json").write_text(json.dumps({"command": ["train.py", HOSTILE], "cpu": HOSTILE}))
    page = page_of(run)
    assert len(page.attributes("script")) == 3 and not page.attributes("img") and not page.attributes("b")
    assert HOSTILE in page.texts("p") and HOSTILE in page.charts and HOSTILE in page.texts("dd")
    assert "<b>run: Level room, room" in page.texts("title")
