"""`python -m townlet.bench env`, in this process, at tiny sizes."""

import pytest

from support.benchmarks import run_quickly
from townlet.bench.speed import env
from townlet.bench.worlds import kernel_world
from townlet.bench.worlds.agreement import DisagreementError


@pytest.fixture
def bench(tmp_path, capsys):
    """Run the command; returns its exit code, what it said, and the rows by name and size."""

    def run(*arguments):
        code, said, kept = run_quickly("env", tmp_path, capsys, *arguments)
        return code, said, {(row["name"], row["size"]): row["samples"] for row in kept.get("rows", [])}

    return run


def test_contestants_are_measured_at_every_size(bench):
    code, said, rows = bench("--agents", "4,32", "--contestants", "eager,numpy,gymnasium")
    assert code == 0, said.err
    names = ("our step, eager", "NumPy")
    assert set(rows) == {(name, size) for name in names for size in (4, 32)} | {("Gymnasium, one agent", 1)}
    assert all(len(samples) == 2 and min(samples) > 0.0 for samples in rows.values())
    assert "NumPy" in said.out and "left out" not in said.out


def test_without_a_compiler_the_kernel_is_left_out_with_a_line(bench, monkeypatch):
    monkeypatch.setattr(kernel_world.shutil, "which", lambda _: None)
    code, said, rows = bench("--agents", "4", "--contestants", "numpy,c")
    assert code == 0 and set(rows) == {("NumPy", 4)}
    assert "C kernel is left out: expected a C compiler, one of cc, gcc, clang, got none." in " ".join(said.out.split())


def test_a_kernel_that_does_not_compile_is_left_out_with_the_compilers_words(bench, monkeypatch, tmp_path):
    broken = tmp_path / "compiler"
    broken.write_text("#!/bin/sh\necho 'no such header' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    code, said, rows = bench("--agents", "4", "--contestants", "numpy,c")
    assert code == 0 and set(rows) == {("NumPy", 4)}
    assert "to build the kernel, got no such header." in " ".join(said.out.split())


def test_without_a_compiler_for_the_step_it_is_left_out_with_a_line(bench, monkeypatch):
    def no_compiler(function, **_):
        def fails(*_):
            raise RuntimeError("no C++ compiler\nfound")

        return fails

    monkeypatch.setattr(env.torch, "compile", no_compiler)
    code, said, rows = bench("--agents", "4,8", "--contestants", "compiled,numpy")
    assert code == 0 and set(rows) == {("NumPy", 4), ("NumPy", 8)}
    assert said.out.count("our step, compiled is left out: no C++ compiler found.") == 1


@pytest.mark.parametrize("level", ["1", "3"])
def test_on_levels_with_more_rules_our_step_alone_is_measured(bench, level):
    code, said, rows = bench("--agents", "4", "--level", level, "--contestants", "eager,numpy,c,gymnasium")
    assert code == 0 and set(rows) == {("our step, eager", 4), ("Gymnasium, one agent", 1)}
    assert f"C kernel and NumPy are left out: level {level}: expected the rules" in " ".join(said.out.split())


def test_any_key_of_the_level_may_be_changed(bench):
    settings = ("--set", "grid.width=12", "--set", "observation.window=3")
    code, said, rows = bench("--agents", "4", "--contestants", "eager,numpy,gymnasium", *settings)
    assert code == 0 and len(rows) == 3, said.err


def test_without_openmp_the_kernel_says_so(bench, monkeypatch):
    real = kernel_world.subprocess.run

    def without(command, **options):
        return real([*command, "--no-such-flag"] if "-fopenmp" in command else command, **options)

    monkeypatch.setattr(kernel_world.subprocess, "run", without)
    code, said, rows = bench("--agents", "4", "--contestants", "c")
    if not rows:
        pytest.skip("needs a C compiler")
    assert code == 0 and "C kernel runs on one thread: its compiler has no OpenMP." in " ".join(said.out.split())


def test_a_peer_that_lives_otherwise_stops_the_benchmark(bench, monkeypatch):
    def differs(name, *_):
        raise DisagreementError(f"{name}: reward of agent 3 after step 8: expected 1, got 2")

    monkeypatch.setattr(env, "check_agreement", differs)
    code, said, rows = bench("--agents", "4", "--contestants", "numpy")
    assert (code, rows) == (1, {})
    assert said.err == "townlet bench env: NumPy: reward of agent 3 after step 8: expected 1, got 2\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--contestants", "eager,rust"], "expected some of compiled, eager, vector, c, numpy, gymnasium, got rust"),
        (["--agents", "4,0"], "--agents: expected at least 1, got 0"),
        (["--seconds", "-1"], "--seconds: expected a number above 0, got -1"),
        (["--seconds", "soon"], "--seconds: expected a number, got 'soon'"),
    ],
)
def test_wrong_use_is_one_line(bench, arguments, said):
    code, output, _ = bench(*arguments)
    assert code == 2 and said in output.err and output.err.count("\n") == 1


def test_an_unknown_level_is_one_line(bench):
    code, said, _ = bench("--level", "17")
    assert code == 2 and said.err.count("\n") == 1 and "17" in said.err


@pytest.mark.slow
def test_compiled_step_and_compile_time(bench):
    code, said, rows = bench("--agents", "8", "--contestants", "compiled", "--compile-time")
    assert code == 0 and set(rows) == {("our step, compiled", 8)}
    assert " s cold, " in said.out and "from its cache" in said.out
