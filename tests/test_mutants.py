"""The list of deliberate mistakes fits the source, and the runner tells caught from all else, on a small project."""

import re
from dataclasses import replace
from pathlib import Path

import mutants
import pytest
from mutants import ROOT, Mutant

# --- today's list ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutant", mutants.read_mutants(ROOT), ids=lambda mutant: mutant.name)
def test_each_mistake_can_be_made_in_todays_source_and_its_tests_are_there(mutant: Mutant) -> None:
    assert mutant.problem(ROOT) is None
    assert mutant.old != mutant.new
    for file, _, test in (named.partition("::") for named in mutant.tests):
        assert f"def {test}" in (ROOT / mutants.TESTS / file).read_text()


def test_the_page_lists_all_mistakes_and_no_other() -> None:
    rows = re.findall(r"^\| (.+) \| `[^`]+` \| `test_\w+` \|$", (ROOT / mutants.TABLE).read_text(), re.MULTILINE)
    assert rows == [mutant.mistake for mutant in mutants.read_mutants(ROOT)]


# --- the runner, on a small project ------------------------------------------------------------------------------

SUMS = """
def total(numbers):
    result = 0
    for number in numbers:
        result += number
    return result


class Counter:
    def half(self, number):
        return number // 2
"""
TESTS = """
from townlet.sums import Counter, total


def test_nothing_adds_up_to_nothing():
    assert total([]) == 0


def test_numbers_add_up():
    assert total([1, 2, 3]) == 6
"""
OTHER_TESTS = """
from townlet.sums import Counter


def test_half_of_an_even_number():
    assert Counter().half(4) == 2
"""


def mutant(name: str, old: str, new: str) -> Mutant:
    return Mutant("Sums", name, f"A mistake called {name}.", "sums.py", old, new, ("test_sums.py",))


CAUGHT = mutant("skips", "result += number", "result = number")
CAUGHT_BY_THE_SUITE = mutant("thirds", "number // 2", "number // 3")
SURVIVOR = mutant("true-division", "number // 2", "number / 2")
NOT_IMPORTED = mutant("no-name", "class Counter", "class Accountant")
ENDLESS = mutant("endless", "for number in numbers", "for number in iter(int, 1)")
GONE = mutant("gone", "result *= number", "pass")
TWICE = mutant("twice", "number", "0")
HALVED = Mutant("Sums", "halved", "Half.", "sums.js", "number / 2", "number / 3", ("test_sums.py",))
NO_JAVASCRIPT = replace(HALVED, name="no-javascript", new="number /")
NO_PYTHON = mutant("no-python", "result = 0", "result = (")


@pytest.fixture(scope="module", autouse=True)
def soon_begun() -> None:
    """What runs the small project's tests need not import PyTorch first."""
    mutants._SERVER.set_forkserver_preload(["pytest"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one module, with two files of tests."""
    root = tmp_path / "project"
    for folder in (mutants.SOURCE, mutants.TESTS, "docs"):
        (root / folder).mkdir(parents=True)
    (root / mutants.SOURCE / "__init__.py").touch()
    (root / mutants.SOURCE / "sums.py").write_text(SUMS)
    (root / mutants.TESTS / "test_sums.py").write_text(TESTS)
    (root / mutants.TESTS / "test_counter.py").write_text(OTHER_TESTS)
    (root / "pytest.ini").write_text("[pytest]\nmarkers = slow: slow ones\naddopts = --import-mode=importlib\n")
    return root


def write_list(root: Path, *listed: Mutant) -> None:
    lines = [
        f"- {{name: {one.name}, mistake: {one.mistake}, file: {one.file}, old: {one.old!r}, new: {one.new!r}, "
        f"tests: [{', '.join(one.tests)}]}}"
        for one in listed
    ]
    (root / "tests/mutants.yaml").write_text("Sums:\n" + "\n".join(lines) + "\n")


def outcomes(shown: str) -> dict[str, list[str]]:
    """Outcome and detail of each mistake, from what a run has printed."""
    lines = re.findall(r"^(\S+) +(caught|survived|hung|no test failed) +\d+ s  (.+)$", shown, re.MULTILINE)
    return {name: [outcome, detail] for name, outcome, detail in lines}


def test_a_mistake_is_caught_by_a_failed_test_alone_and_any_that_is_not_fails_the_run(project: Path, capsys) -> None:
    write_list(project, CAUGHT, SURVIVOR, NOT_IMPORTED)
    assert mutants.main(["--write"], project) == 1
    shown = outcomes(capsys.readouterr().out)
    assert shown["skips"] == ["caught", "test_numbers_add_up"]
    assert shown["true-division"] == ["survived", "the whole quick suite"]
    assert shown["no-name"][0] == "no test failed" and shown["no-name"][1].startswith("pytest's exit code")
    assert not (project / mutants.TABLE).exists()
    assert (project / mutants.SOURCE / "sums.py").read_text() == SUMS, "the project itself was changed"


def test_a_mistake_that_never_ends_is_not_caught(project: Path) -> None:
    assert mutants.judge(ENDLESS, project, limit=1.0, jobs=1).outcome == "hung"


def test_a_mistake_in_javascript_is_caught_by_a_failed_test_and_not_by_its_syntax(project: Path) -> None:
    pytest.importorskip("playwright", reason="playwright is not installed (extra `dev`)")
    (project / mutants.SOURCE / "sums.js").write_text("export function half(number) {\n  return number / 2;\n}\n")
    read = "    assert 'number / 2' in (Path(__file__).parents[2] / 'src/townlet/sums.js').read_text()\n"
    (project / mutants.TESTS / "test_sums.py").write_text(f"from pathlib import Path\n\ndef test_half():\n{read}")
    assert HALVED.problem(project) is None and HALVED.where(project) == "sums.js: half"
    assert mutants.judge(HALVED, project, limit=60.0, jobs=1)[2:4] == ("caught", "test_half")
    _, _, outcome, detail, _ = mutants.judge(NO_JAVASCRIPT, project, limit=60.0, jobs=1)
    assert (outcome, detail) == ("no test failed", "sums.js is no JavaScript: SyntaxError: Unexpected token ';'")


def test_mistakes_that_cannot_be_made_fail_the_run_and_say_why(project: Path, capsys) -> None:
    write_list(project, CAUGHT, GONE, TWICE, NO_PYTHON)
    assert mutants.main(["--write"], project) == 1
    shown = capsys.readouterr().out
    assert "gone: expected its old text once in sums.py, found it 0 times" in shown
    assert "twice: expected its old text once in sums.py, found it 6 times" in shown
    assert "no-python: expected sums.py to compile with its new text, got '(' was never closed" in shown
    assert "1 caught, 3 gone" in shown
    assert not (project / mutants.TABLE).exists()


def test_when_all_are_caught_the_page_is_written_with_the_test_that_turned_red(project: Path, capsys) -> None:
    write_list(project, CAUGHT, CAUGHT_BY_THE_SUITE)
    assert mutants.main(["--write", "--jobs", "2"], project) == 0
    written = (project / mutants.TABLE).read_text()
    assert "| A mistake called skips. | `sums.py: total` | `test_numbers_add_up` |" in written
    assert "| A mistake called thirds. | `sums.py: Counter.half` | `test_half_of_an_even_number` |" in written
    assert re.search(r"^The last whole run was on \d{4}-\d\d-\d\d: 2 mistakes in \d+ minutes.$", written, re.MULTILINE)
    assert "2 caught" in capsys.readouterr().out


def test_only_those_asked_for_are_made(project: Path, capsys) -> None:
    write_list(project, CAUGHT, SURVIVOR)
    assert mutants.main(["--only", "skips"], project) == 0
    assert outcomes(capsys.readouterr().out) == {"skips": ["caught", "test_numbers_add_up"]}


def test_tests_that_fail_without_any_mistake_are_named_and_nothing_is_tried(project: Path, capsys) -> None:
    write_list(project, CAUGHT)
    (project / mutants.TESTS / "test_sums.py").write_text("def test_wrong():\n    assert False\n")
    assert mutants.main([], project) == 1
    assert capsys.readouterr().out.strip() == ("test_sums.py: expected it to pass without any mistake, got test_wrong")


def test_names_are_listed_and_must_differ_and_exist(project: Path, capsys) -> None:
    write_list(project, CAUGHT, SURVIVOR)
    assert mutants.main(["--list"], project) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["skips", "true-division"]
    for wrong in (["--only", "unknown"], ["--only", "skips", "--write"]):
        with pytest.raises(SystemExit) as stopped:
            mutants.main(wrong, project)
        assert stopped.value.code == 2
    write_list(project, CAUGHT, CAUGHT)
    with pytest.raises(ValueError, match="expected names that differ, got skips more than once"):
        mutants.read_mutants(project)
