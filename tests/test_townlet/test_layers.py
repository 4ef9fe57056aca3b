"""The shape of the source, by its syntax tree: who imports whom, what is named, what a step may not call, how long."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import (
    AT_THE_TOP,
    GROUND,
    imports,
    is_room,
    is_within,
    may_import,
    permission,
    purpose,
    room_of,
    rooms,
    sources,
    tree,
)  # fmt: skip

from townlet.config import load_level
from townlet.level.file import shipped_levels

TESTS = Path(__file__).parent

# --- imports go one way ------------------------------------------------------------------------------------------

# Imports that go against what a room may import, each with its reason. An entry that is no longer needed must go.
EXCEPTIONS = {
    ("population.evaluation", "environment.make"): "an evaluation makes a world of its own",
    ("population.worker", "environment.make"): "a worker makes the world of its share",
    ("population.__main__", "screen.device"): "a worker is a process that keeps its memory as those of commands do",
}


def test_at_the_top_lie_eight_modules_at_most_and_everything_else_in_a_room() -> None:
    assert {module for module in sources() if "." not in module and not is_room(module)} == set(AT_THE_TOP)
    assert len(AT_THE_TOP.keys() - {"__main__"}) <= 8  # which is the word `townlet` itself


def test_a_room_holds_fifteen_files_at_most_and_says_in_a_sentence_what_it_is_for() -> None:
    for room in rooms():
        assert len(list(sources()[room].parent.glob("*.py"))) <= 15, room
        what = purpose(room)
        assert what.endswith(".") and ". " not in what and permission(room), room


@pytest.mark.parametrize("room", [*AT_THE_TOP, *rooms()])
def test_what_a_room_may_import_is_there_and_is_imported(room: str) -> None:
    used = {imported for module in sources() if room_of(module) == room for imported in imports(module)}
    for name in may_import(room):
        assert name in sources()
        assert name in GROUND or any(is_within(one, (name,)) for one in used), f"{name}: never imported"


def test_imports_go_one_way() -> None:
    against = {
        (module, imported)
        for module in sources()
        for imported in imports(module) - {""}  # the package itself holds the version alone
        if not is_within(imported, (room_of(module), *may_import(room_of(module))))
    }
    assert against == set(EXCEPTIONS)


def test_the_tests_mirror_the_rooms() -> None:
    folders = {path.parent.relative_to(TESTS) for path in TESTS.rglob("test_*.py")} - {Path()}
    assert {".".join(folder.parts) for folder in folders} <= set(rooms())


def test_no_module_imports_itself_through_others() -> None:
    def reach(module: str) -> set[str]:
        seen, waiting = set(), [module]
        while waiting:
            new = imports(waiting.pop()) - seen
            seen |= new
            waiting += new
        return seen

    assert [module for module in sources() if module in reach(module)] == []


@pytest.mark.parametrize("module", [module for module in sources() if is_within(module, ("environment",))])
def test_the_environment_does_not_speak_of_those_who_use_it(module: str) -> None:
    assert re.findall(r"learner|curricul\w*|viewer", sources()[module].read_text(), re.IGNORECASE) == []


# --- PyTorch's private parts --------------------------------------------------------------------------------------

# Modules that import, as they are imported, what PyTorch does not promise to keep.
OF_ONE_VERSION = {
    "environment.compiled.haste": "made for the internals of one version, and left out where they are not there"
}
LASTING = ("torch._subclasses.fake_tensor", "torch.utils._python_dispatch")  # in every version from 2.6 on


def of_one_version(module: ast.Module) -> set[str]:
    """What a module imports at its top that another PyTorch may not have."""
    named = [alias.name for node in module.body if isinstance(node, ast.Import) for alias in node.names]
    for node in module.body:
        if isinstance(node, ast.ImportFrom):
            named += [f"{node.module}.{alias.name}" for alias in node.names]
    ours = {f"townlet.{name}" for name in OF_ONE_VERSION}
    private = {name for name in named if re.match(r"torch\.(\w+\.)*_", name) and not name.startswith(LASTING)}
    return private | ours & set(named)


def test_nothing_but_what_is_made_for_one_pytorch_needs_it_to_be_imported() -> None:
    assert {module for module in sources() if of_one_version(tree(module))} == set(OF_ONE_VERSION)
    tests = {path.name: of_one_version(ast.parse(path.read_text())) for path in TESTS.rglob("*.py")}
    assert {name: needed for name, needed in tests.items() if needed} == {}


# --- content lives in YAML ---------------------------------------------------------------------------------------

HOMONYMS = {
    ("screen.picture", "Bar"): "a bar of a chart",
    ("screen.picture", "rest"): "what is left over",
}


def words_of_code(module: str) -> Iterator[str]:
    """All identifiers and all strings of a module, but for docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree(module))
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(word := getattr(node, field, None), str):
                yield word


def test_no_meter_affordance_or_level_is_named_in_the_source() -> None:
    levels = [(load_level(path), path.stem) for path in shipped_levels().values()]
    content = {name for level, stem in levels for name in (*level.meters, *level.affordances, level.name, stem)}
    assert {"energy", "Hospital", "oxygen", "partial_observability", "2_reference"} <= content
    pattern = re.compile(rf"(?<![^\W_])({'|'.join(map(re.escape, content))})(?![^\W_])")
    named = {(module, name) for module in sources() for word in words_of_code(module) for name in pattern.findall(word)}
    assert named == set(HOMONYMS)


# --- no host synchronisation in a step ---------------------------------------------------------------------------

# What the population's step runs through, but for learning.
STEP_PATH = {
    "environment.rules": (
        "tick", "can_act", "can_move", "look_underfoot", "look_down", "can_interact", "look_up", "move",
        "pay_for_moving", "interact", "change_passively", "drain", "cascade", "cause_of_death",
    ),
    "environment.observation": (
        "observe", "look", "masked", "in_bytes", "with_bools", "_one_hot", "_window", "_position",
        "_offsets", "_meters", "_underfoot", "_clock", "_progress", "_age",
    ),
    "environment.rewards": ("reward", "sum_terms", "each_term", "potential"),
    "environment.vectorized_env": (
        "VectorizedEnv.observe", "VectorizedEnv.step", "VectorizedEnv.step_in_place", "VectorizedEnv.capture",
        "VectorizedEnv.keep_in_place", "VectorizedEnv.standing", "_step",
    ),
    "environment.advance": (
        "begin_episodes", "advance", "_by_columns", "_undone", "_where", "in_place", "_count", "_histogram",
    ),
    "environment.compiled.blocks": ("Blocks.__call__", "Blocks.apart", "cut", "joined", "_stack"),
    "environment.compiled.pieces": (
        "Piece.is_free", "Piece.holders", "ArrayPiece.is_free", "Shelf.free",
    ),
    "environment.compiled.repeat": ("Repeated.__call__", "_Form.take", "_Form.run"),
    "capture": ("Captured.__call__", "Captured._run_again", "CapturedStep.__call__", "leaves", "mapped", "write"),
    "seeding": ("mix", "draw_below", "draw_uniform", "_logical_right_shift"),
    "agent.networks": (
        "QNetwork.forward", "SimpleQNetwork.read", "SimpleQNetwork.values", "RecurrentSpatialQNetwork.read",
        "RecurrentSpatialQNetwork.values", "RecurrentSpatialQNetwork.read_beside",
        "QHead.forward", "QNetwork._inputs",
    ),
    "agent.encoders": ("WholeEncoder.forward", "PartwiseEncoder.forward", "one_hot"),
    "agent.images": ("Scale.forward", "Convolutions.forward", "_picture"),
    "agent.memory.cells": ("LSTM.forward", "LSTM.unroll_by_steps", "GRU.forward", "_unroll_with_resets"),
    "agent.memory.beside": ("Memories.read", "Written.forward"),
    "agent.memory.sightings": (
        "LastSightings.shown", "LastSightings.write", "LastSightings.read", "PlacesInView.forward", "directions",
    ),
    "agent.memory.frontier": (
        "Frontier._here", "Frontier.shown", "Frontier.write", "Frontier.read", "Frontier._nearest",
    ),
    "agent.memory.spectral": ("Spectral.shown", "Spectral.write", "Spectral.read", "sights"),
    "agent.memory.steered": ("SteeredSpectral.forward", "SteeredSpectral.shown", "_Held.forward", "_Held.backward"),
    "agent.memory.counter": (
        "Counter.forward", "Counter.counted", "Counter.read", "OutcomeCounter.counted", "PartCounter.read",
    ),
    "agent.memory.records": ("Record.forward", "Records.forward"),
    "agent.memory.shares": ("shares_left", "equal_shares_left", "of_one_episode"),
    "agent.memory.delta": (
        "Window.written", "Window.found", "Window.held", "_Held.forward", "_Held.backward", "Step.found", "Step.held",
        "DeltaRule.forward", "DeltaRule.write_window", "DeltaRule.write_step", "DeltaRule.key_of", "Delta.value_of",
        "Delta.read",
    ),
    "agent.memory.ground": ("Ground._cell", "Ground.key_of", "Ground.shown_by", "Ground.value_of", "Ground.read"),
    "agent.memory.phases": (
        "DeltaPhases.value_of", "DeltaPhases.read", "turned_back", "_Turned.forward", "_Turned.backward",
    ),
    "agent.memory.lru": ("LinearRecurrentUnit.forward", "LinearRecurrentUnit.unroll", "scan", "as_complex"),
    "agent.memory.traces": ("TracedUnits.forward", "TracedUnits._owed", "TracedUnits._carry_on"),
    "agent.acting": ("q_values", "carry_on"),
    "agent.optimizers": ("DeviceAdam.step_if_finite", "DeviceAdam.set_learning_rate"),
    "agent.learner": (
        "QLearner.prepare", "QLearner.update", "QLearner._descend", "QLearner._gradient",
        "QLearner._take", "QLearner.td_error", "QLearner._returns", "QLearner._next_values",
        "QLearner._with_cut_steps", "QLearner._unroll", "QLearner._window", "QLearner._online",
        "QLearner._memory_at_start", "QLearner._renew_target", "QLearner.copy_to_target",
        "QLearner.set_learning_rate", "continuing",
    ),
    "agent.prediction": ("PredictionHead.forward", "PredictionHead.loss"),
    "shares.share": ("Share.means", "Share.weight"),
    "agent.losses": (
        "double_q_values", "lambda_returns", "discounts", "discounted_returns", "n_step_returns", "rescale", "unscale",
        "elementwise_loss", "masked_mean", "plain_means",
    ),
    "masking": ("masked_argmax", "masked_max"),
    "exploration.epsilon_greedy": (
        "EpsilonGreedy.select", "EpsilonGreedy.prepare", "EpsilonGreedy._draw", "EpsilonGreedy.epsilon",
    ),
    "exploration.rnd": (
        "RandomNetworkDistillation.reward", "RandomNetworkDistillation.novelty", "RandomNetworkDistillation.update",
        "RunningMoments.update", "RunningMoments.deviation",
    ),
    "exploration.curiosity": ("NoCuriosity.reward", "NoCuriosity.update"),
    "exploration.annealing": ("NoveltyWeight.record",),
    "curriculum.adversarial": (
        "AdversarialCurriculum.difficulty", "AdversarialCurriculum.step", "AdversarialCurriculum.record",
        "AdversarialCurriculum._move", "policy_entropy",
    ),
    "curriculum.static": ("StaticCurriculum.step", "StaticCurriculum.record"),
    "exploration.tastes": ("Tastes.__call__", "Tastes.record"),
    "curriculum.last_episodes": ("LastEpisodes.add", "LastEpisodes.forget", "LastEpisodes.full"),
    "replay.step_rings": ("StepRings._store_hidden", "StepRings.hidden_before"),
    "replay.replay_tape": (
        "ReplayTape.write", "ReplayTape.count_step",
        "ReplayTape._place", "ReplayTape.newest", "ReplayTape._read", "ReplayTape.windows",
        "ReplayTape._newest_slots", "ReplayTape.cut_steps",
    ),
    "replay.sequential_replay_buffer": (
        "SequentialReplayBuffer.sample_sequences", "SequentialReplayBuffer._draw",
        "SequentialReplayBuffer._todays_chances", "SequentialReplayBuffer._chances_of",
        "SequentialReplayBuffer._windows_beginning", "SequentialReplayBuffer._known",
        "SequentialReplayBuffer.update_priorities", "SequentialReplayBuffer._written",
    ),
    "replay.cuts": ("last_of_each", "every_step"),  # `each_cut` is the CPU's
    "replay.sum_tree": ("SumTree.__init__", "SumTree._of_each", "SumTree.total", "SumTree.set", "SumTree.find"),
    "replay.priorities": (
        "NoPriorities.masses", "NoPriorities.weights", "Priorities.add", "Priorities.masses", "Priorities.weights",
        "Priorities.update", "mixed_error",
    ),
    "population.vectorized": (
        "VectorizedPopulation.step", "VectorizedPopulation._advance", "VectorizedPopulation._choose",
        "VectorizedPopulation._record", "VectorizedPopulation._carry_on", "VectorizedPopulation._put",
    ),
    "population.episodes": ("EpisodeTracker.record", "FirstEpisodes.after"),
    "population.drift": ("RecentPast.add",),
    "population.reward_scale": ("LargestReturn.record", "LargestReturn._renew"),
    "population.lives": (
        "GreedyPolicy.act", "GreedyPolicy.after", "GreedyPolicy._remembered", "Lives.step", "CapturedLives.step",
        "CapturedLives._live", "CapturedLives._now",
    ),
    "population.visits": ("Visits.record",),
    "population.stopwatch": ("Stopwatch.begin", "Stopwatch.end"),
    "population.learning": ("FreshLearning.learn", "FreshLearning.note", "ReplayLearning.learn"),
}  # fmt: skip
WAITS = {"item", "cpu", "nonzero", "tolist", "numpy", "bool", "float", "int", "synchronize"}  # as calls


def functions(module: str) -> dict[str, ast.FunctionDef]:
    """All functions of a module and of its classes, by name or Class.name."""
    found = {}
    for node in tree(module).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}": one for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


def waiting_calls(function: ast.FunctionDef) -> list[str]:
    """Calls that wait for the device: methods of tensors, and Python's own conversions of them."""
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    methods = WAITS - {"bool", "float", "int"}  # as methods these only convert the type
    return [call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in methods] + [
        call.id for call in calls if isinstance(call, ast.Name) and call.id in WAITS
    ]


@pytest.mark.parametrize("module", STEP_PATH)
def test_nothing_in_a_step_waits_for_the_device(module: str) -> None:
    known = functions(module)
    assert {name: calls for name in STEP_PATH[module] if (calls := waiting_calls(known[name]))} == {}


def test_all_rules_belong_to_the_step() -> None:
    assert set(functions("environment.rules")) == set(STEP_PATH["environment.rules"])


# --- length ------------------------------------------------------------------------------------------------------

MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION = 300, 50
LONG_FILES: dict[str, str] = {}  # each with its reason


def test_files_are_short() -> None:
    lengths = {module: path.read_text().count("\n") for module, path in sources().items()}
    assert {module for module, length in lengths.items() if length > MOST_LINES_OF_A_FILE} == set(LONG_FILES)


def test_functions_are_short() -> None:
    long = {
        f"{module}.{node.name}": length
        for module in sources()
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) >= MOST_LINES_OF_A_FUNCTION
    }
    assert long == {}
