"""Every flag of every command has a test that sees its effect; this table says which."""

import ast
from functools import cache
from pathlib import Path

import pytest
from command_parsers import commands, parser_of

TESTS = Path(__file__).parents[1]

TRAIN, RESUMING, LADDER = "run/test_train_flags.py", "run/test_resuming.py", "run/test_ladder.py"
ALLOWANCE = "run/test_allowance.py"
PLAYING, EVALUATE, TRANSFER = "commands/test_playing_flags.py", "test_evaluate.py", "commands/test_transfer.py"
CLI, SPEED, SCALE = "commands/test_cli.py", "bench/speed/test_options.py", "bench/scale/test_command.py"
RECALL, WATCH = "bench/recall/test_command.py", "commands/test_watch.py"
EXPORT = "policy/test_exporting.py"
REPLAY, MEMORY, PROBE = "commands/lives/test_replay.py", "bench/memory/test_command.py", "bench/probe/test_command.py"

A_RUN = f"{TRAIN}::test_every_flag_of_a_run_is_found_in_it"
GOES_ON = f"{TRAIN}::test_a_run_goes_on_from_its_newest_checkpoint_by_its_path_its_name_or_as_the_latest"
CHECKPOINT = f"{PLAYING}::test_the_checkpoint_that_is_named_is_the_one_that_is_played"
DEVICE = f"{PLAYING}::test_agents_are_played_and_trained_on_the_device_that_is_asked_for"
SEEDS = f"{PLAYING}::test_maps_and_starts_are_those_of_the_seed_and_by_itself_of_the_runs_own_evaluations"
COMPARISON = f"{PLAYING}::test_a_comparison_has_the_title_and_the_axes_that_are_asked_for"
REPORT = "commands/test_report.py::test_the_page_of_a_run_lies_in_its_folder_or_where_it_is_asked_for"
DRAWN = f"{PLAYING}::test_the_map_that_is_asked_for_is_drawn"
MANY_EPISODES = f"{PLAYING}::test_so_many_episodes_are_played_as_are_asked_for"
EPISODES_EACH = f"{PLAYING}::test_each_agent_plays_so_many_episodes_in_each_level"
LIVES = f"{REPLAY}::test_so_many_lives_are_recorded_for_so_many_steps"
WEIGHTS = f"{REPLAY}::test_weights_and_memory_come_along_as_is_asked_for"
OTHER_WORLD = "commands/lives/test_play.py::test_the_world_is_that_of_the_run_or_what_is_asked_for"
BESIDE = "commands/lives/test_video.py::test_a_film_lies_beside_the_replays_of_its_run_or_beside_the_replay"
LIES = f"{EXPORT}::test_it_lies_with_its_run_unless_another_folder_is_asked_for"
GRAPHS = f"{EXPORT}::test_the_network_comes_along_as_graphs_where_they_are_asked_for"
FILM = "commands/lives/test_video.py::test_steps_of_a_life_of_a_run_are_drawn_as_is_asked_for"
SUB_ENVIRONMENTS = f"{CLI}::test_check_env_makes_so_many_sub_environments_as_are_asked_for"
CHECKED = "environment/gym/test_finding.py::test_check_env_makes_what_is_asked_for_and_names_the_options_that_there_are"
CURVES = f"{SCALE}::test_every_curve_is_measured_told_drawn_and_kept"
RUNS = "commands/test_runs.py::test_runs_are_listed_the_newest_first_with_what_they_came_to"
SWEEPS = f"{SCALE}::test_sweeps_are_told_what_was_asked_for"
TRIALS = f"{MEMORY}::test_trials_are_those_of_the_seeds_and_contestants_that_are_asked_for"
ALL_ROWS = f"{MEMORY}::test_all_rows_are_run_kept_shown_and_drawn"
ASKED = f"{RECALL}::test_those_that_are_named_are_asked_what_is_named_and_told_kept_and_drawn"
SAMPLING = f"{PROBE}::test_the_network_is_asked_on_the_device_and_as_often_as_is_asked_for"
TABLES = f"{PROBE}::test_answers_are_of_the_weights_and_are_printed_as_json_where_that_is_asked_for"

ALL_OF_SPEED = {
    "--device": f"{SPEED}::test_it_is_measured_on_the_device_that_is_asked_for",
    "--threads": f"{SPEED}::test_pytorch_has_so_many_threads_while_it_measures",
    "--repeats": f"{SPEED}::test_so_many_samples_of_so_many_seconds_are_taken",
    "--seconds": f"{SPEED}::test_so_many_samples_of_so_many_seconds_are_taken",
    "--json": f"{SPEED}::test_what_was_found_is_written_where_it_is_asked_for",
    "--plot": f"{SPEED}::test_what_was_found_is_written_where_it_is_asked_for",
    "--markdown": f"{SPEED}::test_what_was_found_is_written_where_it_is_asked_for",
}

# Flag, by command: the test that sees its effect.
SEEN: dict[str, dict[str, str]] = {
    "train": {
        "--level": f"{TRAIN}::test_the_level_is_the_one_that_is_named_and_level_2_by_itself",
        "--gym": "environment/gym/test_training.py::test_a_run_trains_evaluates_and_speaks_of_the_return",
        "--curriculum": f"{LADDER}::test_each_level_is_an_ordinary_run_and_the_newest_is_the_latest",
        "--mastery": f"{LADDER}::test_a_level_is_left_at_mastery_or_when_its_steps_are_used_up",
        "--seed": A_RUN, "--num-agents": A_RUN, "--total-steps": A_RUN, "--device": DEVICE, "--set": A_RUN,
        "--minutes": f"{ALLOWANCE}::test_a_run_without_the_time_is_that_of_the_steps_that_fit_weight_for_weight",
        "--run-name": A_RUN, "--runs-dir": A_RUN, "--resume": GOES_ON,
        "--load": f"{RESUMING}::test_weights_are_copied_to_the_target_network_too",
        "--checkpoint-every": A_RUN, "--evaluate-every": A_RUN,
        "--plain": f"{TRAIN}::test_plain_lines_take_the_place_of_the_dashboard_where_they_are_asked_for",
        "--watch": "watch/test_alongside.py::test_a_training_that_is_watched_learns_the_same_bit_for_bit",
        "--dry-run": "test_train.py::test_dry_run_prints_the_plan_and_leaves_nothing",
    },
    "watch": {
        "--host": f"{WATCH}::test_who_listens_to_others_is_warned",
        "--port": f"{WATCH}::test_the_address_is_one_line_and_ctrl_c_ends_it_with_nothing_amiss",
        "--open": f"{WATCH}::test_a_browser_is_opened_unless_nobody_wants_one",
        "--no-open": f"{WATCH}::test_a_browser_is_opened_unless_nobody_wants_one",
        "--lives": f"{WATCH}::test_so_many_lives_are_recorded_as_are_asked_for",
        "--runs-dir": f"{WATCH}::test_the_address_is_one_line_and_ctrl_c_ends_it_with_nothing_amiss",
    },
    "evaluate": {
        "--level": f"{EVALUATE}::test_an_agent_plays_in_the_world_of_another_level",
        "--set": f"{EVALUATE}::test_set_changes_the_world_that_is_played",
        "--episodes": MANY_EPISODES, "--checkpoint": CHECKPOINT, "--seed": SEEDS,
        "--forget-every": f"{PLAYING}::test_memory_is_zeroed_as_often_as_is_asked_for",
        "--json": MANY_EPISODES, "--device": DEVICE, "--runs-dir": MANY_EPISODES,
    },
    "replay": {
        "--checkpoint": CHECKPOINT, "--agents": LIVES, "--steps": LIVES, "--runs-dir": LIVES,
        "--level": f"{REPLAY}::test_an_agent_is_recorded_in_the_world_of_another_level",
        "--set": f"{REPLAY}::test_an_agent_is_recorded_in_the_world_of_another_level",
        "--seed": f"{REPLAY}::test_maps_and_starts_are_those_of_the_seed_and_by_itself_of_the_runs_own_evaluations",
        "--weights": WEIGHTS, "--no-weights": WEIGHTS, "--memory-every": WEIGHTS,
        "--out": f"{REPLAY}::test_what_was_recorded_is_told_in_a_line_and_lies_where_it_is_asked_for",
        "--html": f"{REPLAY}::test_a_page_of_the_recording_is_one_file_and_the_replay_lies_beside_it_where_asked_for",
        "--beside": f"{REPLAY}::test_lives_of_other_checkpoints_lie_in_the_page_beside_those_it_shows",
        "--device": DEVICE,
    },
    "export": {
        "--checkpoint": LIES, "--runs-dir": LIES, "--episodes": LIES, "--device": LIES,
        "--onnx": GRAPHS, "--program": GRAPHS,
        "--out": f"{EXPORT}::test_nothing_else_is_written_over",
    },
    "play": {
        "--level": OTHER_WORLD, "--set": OTHER_WORLD, "--seed": OTHER_WORLD, "--checkpoint": OTHER_WORLD,
        "--runs-dir": OTHER_WORLD,
    },
    "video": {
        "--life": FILM, "--first": FILM, "--last": FILM, "--fps": FILM, "--out": FILM, "--runs-dir": FILM,
        "--checkpoint": BESIDE,
    },
    "transfer": {
        "--levels": f"{TRANSFER}::test_every_run_is_played_in_every_level_that_fits",
        "--episodes": EPISODES_EACH, "--checkpoint": CHECKPOINT,
        "--markdown": f"{TRANSFER}::test_the_table_has_a_footnote_where_a_network_does_not_fit",
        "--json": f"{TRANSFER}::test_every_run_is_played_in_every_level_that_fits",
        "--device": DEVICE, "--runs-dir": EPISODES_EACH,
    },
    "novelty": {
        "--out": DRAWN, "--map": DRAWN, "--checkpoint": CHECKPOINT, "--device": DEVICE, "--runs-dir": DRAWN,
    },
    "report": {"--out": REPORT, "--runs-dir": REPORT},
    "compare": {
        "--out": COMPARISON, "--title": COMPARISON, "--by": COMPARISON, "--runs-dir": COMPARISON,
        "--html": f"{PLAYING}::test_a_comparison_is_written_as_a_page_where_that_is_asked_for",
    },
    "runs": {"--json": RUNS, "--runs-dir": RUNS},
    "levels": {
        "--all": f"{CLI}::test_levels_lists_the_ladder_and_all_that_is_shipped_where_that_is_asked_for",
        "--map": f"{CLI}::test_levels_draws_the_level_that_is_named",
        "--set": f"{CLI}::test_levels_draws_the_level_that_is_named",
    },
    "validate": {},
    "schema": {
        "--out": "level/test_schema.py::test_the_command_prints_it_or_writes_it",
        "--replay": "page/test_schema.py::test_the_command_prints_it_or_writes_it",
        "--tables": "page/test_schema.py::test_the_command_prints_it_or_writes_it",
    },
    "completion": {},
    "check-env": {"--num-envs": SUB_ENVIRONMENTS, "--steps": SUB_ENVIRONMENTS, "--set": CHECKED},
    "bench env": ALL_OF_SPEED | {
        "--level": "bench/speed/test_env.py::test_on_levels_with_more_rules_our_step_alone_is_measured",
        "--agents": "bench/speed/test_env.py::test_contestants_are_measured_at_every_size",
        "--contestants": "bench/speed/test_env.py::test_contestants_are_measured_at_every_size",
        "--compile-time": "bench/speed/test_env.py::test_compiled_step_and_compile_time",
        "--set": "bench/speed/test_env.py::test_any_key_of_the_level_may_be_changed",
    },
    "bench learner": ALL_OF_SPEED | {
        "--level": "bench/speed/test_learner.py::test_networks_are_measured_at_each_number_of_windows",
        "--windows": "bench/speed/test_learner.py::test_networks_are_measured_at_each_number_of_windows",
        "--set": "bench/speed/test_learner.py::test_any_key_of_the_level_may_be_changed",
    },
    "bench train": ALL_OF_SPEED | {
        "--level": "bench/speed/test_train.py::test_wrong_use_is_one_line",
        "--agents": "bench/speed/test_train.py::test_the_loop_is_measured_at_each_number_of_agents_with_its_parts",
        "--workers": "bench/speed/test_train.py::test_numbers_of_workers_are_compared_in_turn_at_each_number_of_agents",
        "--no-peers": "bench/speed/test_train.py::test_peers_are_left_out_without_a_word_where_nobody_wants_them",
        "--until": "bench/speed/test_train.py::test_until_stops_at_the_first_evaluation_that_is_good_enough",
        "--evaluate-every": "bench/speed/test_train.py::test_until_stops_at_the_first_evaluation_that_is_good_enough",
        "--set": "bench/speed/test_train.py::test_until_gives_up_where_the_steps_of_the_level_end",
    },
    "bench scale": ALL_OF_SPEED | {
        "--level": SWEEPS, "--of": f"{SCALE}::test_only_those_curves_that_are_asked_for",
        "--agents": CURVES, "--windows": CURVES, "--batch": CURVES, "--capacity": CURVES, "--grid": CURVES,
        "--affordances": CURVES, "--replay": SWEEPS, "--eager": SWEEPS, "--set": SWEEPS,
    },
    "bench memories": ALL_OF_SPEED | {
        "--level": "bench/speed/test_memories.py::test_wrong_use_is_one_line",
        "--agents": "bench/speed/test_memories.py::test_each_kind_is_told_with_its_sizes_and_both_its_times",
        "--set": "bench/speed/test_memories.py::test_a_key_of_the_level_holds_for_all_kinds",
    },
    "bench gpu": {"--out": "bench/speed/test_gpu.py::test_all_are_run_on_the_device_whether_one_fails_or_not"},
    "bench memory": {
        "--plan": ALL_ROWS, "--tasks": f"{MEMORY}::test_a_second_call_runs_only_what_is_missing",
        "--seeds": TRIALS, "--first-seed": TRIALS, "--no-peers": TRIALS, "--jobs": TRIALS,
        "--json": ALL_ROWS, "--plot": ALL_ROWS, "--markdown": ALL_ROWS,
        "--probe": f"{MEMORY}::test_a_run_that_is_to_be_probed_is",
    },
    "bench memory --probe": {
        "--probe": SAMPLING, "--checkpoint": TABLES, "--agents": SAMPLING, "--ticks": SAMPLING, "--every": SAMPLING,
        "--recent": SAMPLING, "--epsilon": SAMPLING, "--seed": SAMPLING, "--out": TABLES, "--json": TABLES,
        "--device": SAMPLING, "--runs-dir": SAMPLING,
    },
    "bench recall": {
        "--questions": ASKED, "--memories": ASKED, "--seeds": ASKED, "--json": ASKED, "--plot": ASKED,
        "--markdown": ASKED, "--updates": f"{RECALL}::test_what_is_kept_is_not_run_again_unless_it_is_taught_otherwise",
    },
}  # fmt: skip


# --- the commands ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "command", "words"), [*commands()], ids=lambda value: value if str(value) else "")
def test_the_table_holds_every_flag_of_a_command_and_no_other(name, command, words):
    options = {option for action in parser_of(command, words)._actions for option in action.option_strings}
    assert set(SEEN[name]) == {option for option in options if option.startswith("--")} - {"--help"}


@pytest.mark.parametrize(("name", "command", "words"), [*commands()], ids=lambda value: value if str(value) else "")
def test_a_flag_with_a_letter_too_much_is_told_with_the_one_that_was_meant(name, command, words, capsys):
    """Also where what a command cannot be without is not there yet."""
    parser = parser_of(command, words)
    for flag in SEEN[name]:
        wrong = f"{flag[:-1]}z{flag[-1]}"
        with pytest.raises(SystemExit) as stopped:
            parser.parse_args([f"{wrong}=1"])
        assert stopped.value.code == 2
        assert f"unrecognized arguments: {wrong}=1; did you mean '{flag}'?" in capsys.readouterr().err


# --- the tests ---------------------------------------------------------------------------------------------------


@cache
def definitions(path: Path) -> dict[str, ast.AST]:
    """What a file of tests defines, and what it takes from `support`, by name."""
    found: dict[str, ast.AST] = {}
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found[name] = node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = node
            case ast.ImportFrom(module=str(module)) if module.startswith("support."):
                found |= definitions(TESTS / f"{module.replace('.', '/')}.py")
    return found


def texts(path: Path, name: str) -> set[str]:
    """The texts in a test, and in the fixtures, helpers and constants that it names."""
    known, wanted, found = definitions(path), [name], dict[str, set[str]]()
    while wanted:
        one = wanted.pop()
        if one in found or one not in known:
            continue
        parts = list(ast.walk(known[one]))
        found[one] = {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
        wanted += [part.id for part in parts if isinstance(part, ast.Name)]
        wanted += [part.arg for part in parts if isinstance(part, ast.arg)]
    return set().union(*found.values())


def test_the_tests_that_see_flags_are_there_and_use_them():
    for command, flags in SEEN.items():
        for flag, named in flags.items():
            file, _, test = named.partition("::")
            assert test.startswith("test_") and test in definitions(TESTS / file), f"{command} {flag}: {named}"
            assert flag in texts(TESTS / file, test), f"{command} {flag}: {named} does not use it"
