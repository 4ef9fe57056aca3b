"""`python -m townlet.bench gpu`: what it would run, and what it says where there is no device."""

import pytest
import torch

from townlet.bench import __main__ as command
from townlet.bench.speed import gpu


def test_without_a_device_it_is_one_line_and_exit_code_1(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert command.main(["gpu"]) == 1
    assert capsys.readouterr().err == "townlet bench gpu: expected a CUDA device, got a machine without one\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("fails", "code"), [(None, 0), ("learner", 1)])
def test_all_are_run_on_the_device_whether_one_fails_or_not(monkeypatch, fails, code):
    ran = {}

    def standing_in(name):
        return lambda words: ran.update({name: words}) or int(name == fails)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "COMMANDS", {name: (standing_in(name), rest) for name, (_, rest) in gpu.COMMANDS.items()})
    assert command.main(["gpu", "--out", "there"]) == code
    assert list(ran) == ["env", "learner", "train"]
    assert all(words[:2] == ["--device", "cuda"] for words in ran.values())
    assert ran["train"][-10:-6] == ["--agents", "256,1024,4096,16384", "--until", "450"]
    files = ["--json", "there/gpu-train.json", "--markdown", "there/gpu-train.md", "--plot", "there/gpu-train.png"]
    assert ran["train"][-6:] == files


def test_its_words_are_known_to_the_commands():
    for name, (_, words) in gpu.COMMANDS.items():
        with pytest.raises(SystemExit) as stopped:
            command.main([name, *words, "--help"])
        assert stopped.value.code == 0
