"""What the benchmarks of speed share: how long, on what and with how many threads they measure, and what they write."""

import json

import pytest
import torch

from townlet.bench import __main__ as command
from townlet.bench.scale import command as scale
from townlet.bench.speed import env, learner, train
from townlet.bench.speed.options import add_speed_arguments, run_benchmark
from townlet.bench.speed.report import Report, Row, by_size
from townlet.bench.speed.timing import Pace
from townlet.screen.command_line import Parser

FEW = ["--set", "training.num_agents=4", "--set", "max_steps=20", "--set", "training.total_steps=64"]
SMALL = {
    "env": (env, ["--agents", "4", "--contestants", "eager"]),
    "learner": (learner, ["--windows", "4", "--level", "1"]),
    "train": (train, ["--no-peers", *FEW]),
    "scale": (scale, ["--of", "grid", "--grid", "4"]),
}


class MeasuringError(Exception):
    """In place of measuring: how it would be done, and PyTorch's threads."""


@pytest.fixture(params=SMALL)
def paced(request, monkeypatch):
    """Call a benchmark up to where it begins to measure; returns repeats, seconds and threads."""
    module, words = SMALL[request.param]

    def pace(*asked, **usual):
        if asked:
            raise MeasuringError(*asked, torch.get_num_threads())
        return Pace(**usual)

    def run(*flags):
        monkeypatch.setattr(module, "Pace", pace)
        with pytest.raises(MeasuringError) as begun:
            command.main([request.param, *words, "--device", "cpu", *flags])
        return begun.value.args

    return run


def test_so_many_samples_of_so_many_seconds_are_taken(paced):
    assert paced("--repeats", "3", "--seconds", "0.25")[:2] == (3, 0.25)


def test_pytorch_has_so_many_threads_while_it_measures(paced):
    before = torch.get_num_threads()
    assert paced("--threads", str(before + 1))[2] == before + 1
    assert torch.get_num_threads() == paced()[2] == before


@pytest.mark.skipif(torch.backends.cuda.is_built(), reason="asks a PyTorch without CUDA for its device")
@pytest.mark.parametrize("name", SMALL)
def test_it_is_measured_on_the_device_that_is_asked_for(name, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    try:
        assert command.main([name, *SMALL[name][1], "--device", "cuda"]) == 1
        told = capsys.readouterr().err
    except (AssertionError, RuntimeError) as error:
        told = str(error)
    assert "not compiled with CUDA" in told


def test_what_was_found_is_written_where_it_is_asked_for(tmp_path, capsys):
    parser = Parser(prog="townlet bench speed")
    add_speed_arguments(parser, Pace())
    report = Report("speed", "How fast", "steps/s", "agents", {}, [Row("ours", 4, [1.0, 3.0, 2.0])])
    files = {"--json": tmp_path / "it.json", "--plot": tmp_path / "it.png", "--markdown": tmp_path / "it.md"}
    flags = [word for flag, path in files.items() for word in (flag, str(path))]
    for words in ([], flags):
        assert not any(path.exists() for path in files.values())
        assert run_benchmark(parser.prog, parser.parse_args(words), lambda *_: (report, by_size(report))) == 0
    assert json.loads(files["--json"].read_text())["rows"][0]["median"] == 2.0
    assert files["--plot"].read_bytes().startswith(b"\x89PNG")
    assert "| ours |" in files["--markdown"].read_text()
