"""Deliberate mistakes, each of which must turn a test red: `make mutants`.

mutants.yaml, beside this file, lists them. Each is made in a scratch copy of the project, never in place, and the
tests that it names are run there; if they stay green, so is the whole quick suite. A mistake is caught by a failed test
alone: not by one that cannot be imported, and not by one that never ends.
"""

import argparse
import ast
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import forks
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

ROOT = Path(__file__).parents[1]
SOURCE, TESTS, TABLE = "src/townlet", "tests/test_townlet", "docs/mutants.md"
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "runs", "build", "dist")
SUITE = "the whole quick suite"
WHOLE_SUITE_TAKES = 6  # limits on time, of the suite against those of the named tests
STYLES = {"caught": "green", "survived": "bold red", "hung": "bold yellow", "no test failed": "bold red"}
# Started once, with the slow imports done; each run of tests is a fork of it.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["pytest", "torch", "numpy", "yaml", "pydantic", "rich"])

INTRODUCTION = """\
# Caught mistakes

Each of these mistakes was made in a copy of the source, and a test turned red. `make mutants` makes them all again and
writes this page with `make mutants ARGS=--write`; `ARGS="--only NAME"` makes one of them and `ARGS=--list` names them.
They are listed in [tests/mutants.yaml](../tests/mutants.yaml), each with the text that it changes. A mistake that no
test finds, or whose place in the source is gone, fails the run.

The test named is the first that failed; most mistakes turn several red.
"""


@dataclass(frozen=True)
class Mutant:
    """One mistake: `old`, which occurs once in `file`, becomes `new`."""

    section: str
    name: str
    mistake: str  # one sentence of what goes wrong
    file: str  # below src/townlet
    old: str
    new: str
    tests: tuple[str, ...]  # below tests/test_townlet, to run before the whole suite

    def problem(self, root: Path) -> str | None:
        """Why this mistake cannot be made in the project at `root`, in one line; None where it can."""
        path = root / SOURCE / self.file
        source = path.read_text() if path.is_file() else ""
        if (count := source.count(self.old)) != 1:
            return f"{self.name}: expected its old text once in {self.file}, found it {count} times"
        if path.suffix == ".js":
            return None  # what its new text is worth, Node.js says where it is made: here that would take too long
        try:
            compile(source.replace(self.old, self.new), self.file, "exec")
        except SyntaxError as error:
            return f"{self.name}: expected {self.file} to compile with its new text, got {error}"
        return None

    def make(self, root: Path) -> None:
        """Write the mistake into the project at `root`."""
        path = root / SOURCE / self.file
        path.write_text(path.read_text().replace(self.old, self.new))

    def where(self, root: Path) -> str:
        """The file, and the innermost function that holds the old text; of JavaScript the outermost."""
        source = (root / SOURCE / self.file).read_text()
        before = source[: source.index(self.old)]
        if self.file.endswith(".js"):
            scopes = re.findall(r"^(?:export )?(?:async )?(?:function\*?|class|const) (\w+)", before, re.MULTILINE)
        else:
            line = before.count("\n") + 1
            scopes = [name for name, begin, end in _scopes(ast.parse(source), "") if begin <= line <= end]
        return f"{self.file}: {scopes[-1]}" if scopes else self.file


class Verdict(NamedTuple):
    """What became of one mistake."""

    mutant: Mutant
    where: str  # file and function
    outcome: str  # a key of STYLES
    detail: str  # the test that failed, or what came instead
    seconds: float


def read_mutants(root: Path) -> list[Mutant]:
    """Read tests/mutants.yaml: sections, each a list of mutants. Raises ValueError where two share a name."""
    sections = yaml.safe_load((root / "tests/mutants.yaml").read_text())
    mutants = [
        Mutant(section, **(one | {"tests": tuple(one["tests"])}))
        for section, listed in sections.items()
        for one in listed
    ]
    twice = [name for name, count in Counter(mutant.name for mutant in mutants).items() if count > 1]
    if twice:
        raise ValueError(f"mutants.yaml: expected names that differ, got {', '.join(twice)} more than once")
    return mutants


def run_tests(root: Path, tests: Iterable[str], limit: float, jobs: int = 1) -> tuple[int | None, str]:
    """Run tests of the project at `root` until one fails; return pytest's exit code and output, None past `limit` s."""
    parallel = ["-n", str(jobs)] if jobs > 1 else []
    arguments = ["-x", "-q", "-rfE", "--color=no", "--tb=line", "-p", "no:cacheprovider", "-m", "not slow", *parallel]
    output = root / "pytest.out"
    process = _SERVER.Process(target=_pytest, args=(root, [*arguments, *tests], output))
    forks.start(process)
    if forks.still_runs(process, limit):
        forks.kill(process)
        return None, ""
    return process.exitcode, output.read_text()


def judge(mutant: Mutant, original: Path, limit: float, jobs: int) -> Verdict:
    """Make one mistake in a copy of `original` and run its tests, then the whole suite if they stay green."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        root = Path(folder) / "project"
        shutil.copytree(original, root)
        where = mutant.where(root)
        mutant.make(root)
        if mutant.file.endswith(".js") and (wrong := _not_javascript(root / SOURCE / mutant.file)):
            return Verdict(mutant, where, "no test failed", wrong, time.monotonic() - started)
        code, output = run_tests(root, [f"{TESTS}/{test}" for test in mutant.tests], limit)
        if code == 0:
            code, output = run_tests(root, [TESTS], WHOLE_SUITE_TAKES * limit, jobs)
    outcome, detail = _outcome(code, output)
    return Verdict(mutant, where, outcome, detail, time.monotonic() - started)


def _not_javascript(module: Path) -> str | None:
    """What Node.js, as Playwright brings it, finds wrong with the syntax of a module, in a line; None for nothing."""
    from playwright._impl._driver import compute_driver_executable

    node, _ = compute_driver_executable()
    command = [node, "--check", "--input-type=module", "-"]
    done = subprocess.run(command, input=module.read_text(), capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if "Error: " in line]
    return None if done.returncode == 0 else f"{module.name} is no JavaScript: {errors[0] if errors else done.stderr}"


def _outcome(code: int | None, output: str) -> tuple[str, str]:
    if code is None:
        return "hung", "past the limit on time"
    if code == 0:
        return "survived", SUITE
    # 1: tests failed; 2: pytest was interrupted, as xdist does after the first failure
    failed = re.search(r"^FAILED \S+?::((?:\w+::)*\w+)", output, re.MULTILINE)
    if code in (1, 2) and failed and not re.search(r"^ERROR ", output, re.MULTILINE):
        return "caught", failed[1].split("::")[-1]
    lines = output.strip().splitlines() or ["no output"]
    return "no test failed", f"pytest's exit code {code}: {lines[-1]}"


def _pytest(root: Path, arguments: Sequence[str], output: Path) -> None:
    """Run pytest on the copy at `root` and no other source, in a process of its own."""
    for stream in (1, 2):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "COV_"))]:
        del os.environ[name]
    os.environ |= {"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(root), str(root / "src")]
    os.chdir(root)

    import pytest

    code = pytest.main(["--rootdir", str(root), *arguments])
    sys.stdout.flush()
    os._exit(int(code))  # threads that a mistake left behind do not hold the process


def _scopes(tree: ast.AST, prefix: str) -> Iterator[tuple[str, int, int]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name = f"{prefix}{node.name}"
            begin = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            yield name, begin, node.end_lineno or begin
            yield from _scopes(node, f"{name}.")


def _in_parallel(pool: ThreadPoolExecutor, calls: Sequence[Callable[[], object]], label: str, done: Callable) -> None:
    """Run all calls; hand each result to `done` as it comes. Ctrl-C leaves out what has not begun."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=CONSOLE, transient=True) as progress:
        task = progress.add_task(label, total=len(calls))
        waiting: set[Future] = {pool.submit(call) for call in calls}
        try:
            while waiting:
                ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ended:
                    done(future.result())
                    progress.advance(task)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


CONSOLE = Console(highlight=False)


def _green_without_mistakes(pool: ThreadPoolExecutor, mutants: Sequence[Mutant], original: Path, limit: float) -> bool:
    """Whether all named tests pass in the copy without any mistake; each that does not is printed."""
    red: list[str] = []

    def run(test: str) -> None:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            root = Path(folder) / "project"
            shutil.copytree(original, root)
            code, output = run_tests(root, [f"{TESTS}/{test}"], limit)
        if code != 0:
            red.append(f"{test}: expected it to pass without any mistake, got {_outcome(code, output)[1]}")

    tests = sorted({test for mutant in mutants for test in mutant.tests})
    _in_parallel(pool, [lambda test=test: run(test) for test in tests], "without mistakes", lambda _: None)
    for line in sorted(red):
        CONSOLE.print(line, style="bold red")
    return not red


def _show(verdict: Verdict) -> None:
    name, (_, _, outcome, detail, seconds) = verdict.mutant.name, verdict
    CONSOLE.print(f"{name:<44} [{STYLES[outcome]}]{outcome:<9}[/] {seconds:5.0f} s  {detail}", soft_wrap=True)


def page(verdicts: Sequence[Verdict], minutes: float) -> str:
    """The table of caught mistakes, as Markdown, and when they were made."""
    last = f"\nThe last whole run was on {date.today():%Y-%m-%d}: {len(verdicts)} mistakes in {minutes:.0f} minutes.\n"
    parts, section = [INTRODUCTION, last], ""
    for mutant, where, _, test, _ in verdicts:
        if mutant.section != section:
            section = mutant.section
            parts.append(f"\n## {section}\n\n| mistake | where | test that turns red |\n|---|---|---|\n")
        parts.append(f"| {mutant.mistake} | `{where}` | `{test}` |\n")
    return "".join(parts)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Make all mistakes, or those asked for; return 0 if each turned a test red, 1 if not, 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="mutants", description="Make each deliberate mistake and see a test fail.")
    parser.add_argument("--only", metavar="NAME", action="append", help="make this one; may be given several times")
    parser.add_argument("--list", action="store_true", help="name all mistakes and make none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (default: a core each)")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for the named tests of one (default: 300)")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE}, if all were caught")
    options = parser.parse_args(arguments)
    mutants = read_mutants(root)
    if options.write and options.only:
        parser.error("--write: expected all mistakes, got --only")
    if unknown := set(options.only or []) - {mutant.name for mutant in mutants}:
        parser.error(f"--only: expected a name of --list, got {', '.join(sorted(unknown))}")
    mutants = [mutant for mutant in mutants if not options.only or mutant.name in options.only]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.name:<44} {mutant.mistake}")
        return 0
    problems = [problem for mutant in mutants if (problem := mutant.problem(root))]
    for problem in problems:
        CONSOLE.print(problem, style="bold red", soft_wrap=True)
    began = time.monotonic()
    makeable = [mutant for mutant in mutants if mutant.problem(root) is None]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        original = Path(folder) / "project"
        shutil.copytree(root, original, ignore=NOT_COPIED)
        if not _green_without_mistakes(pool, makeable, original, options.limit):
            return 1
        verdicts: list[Verdict] = []
        calls = [lambda mutant=mutant: judge(mutant, original, options.limit, options.jobs) for mutant in makeable]
        _in_parallel(pool, calls, "mistakes", lambda verdict: (verdicts.append(verdict), _show(verdict)))
    verdicts.sort(key=lambda one: mutants.index(one.mutant))
    if not _all_caught(verdicts, problems):
        return 1
    if options.write:
        (root / TABLE).write_text(page(verdicts, (time.monotonic() - began) / 60.0))
        CONSOLE.print(f"wrote {TABLE}")
    return 0


def _all_caught(verdicts: Sequence[Verdict], problems: Sequence[str]) -> bool:
    counts = Counter(verdict.outcome for verdict in verdicts) + Counter({"gone": len(problems)})
    CONSOLE.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()), style="bold")
    return set(counts) == {"caught"}


if __name__ == "__main__":
    sys.exit(main())
