"""train.log: what is in it, and what a disk without room does to it."""

import os
import re
from pathlib import Path

import pytest

from townlet.run.log import close_log, open_log
from townlet.run.run_directory import RunError


def test_it_has_plain_lines_with_the_time_and_goes_on_after_a_resume(tmp_path):
    for line in ("started", "resumed"):
        log = open_log(tmp_path / "train.log", pytest.fail)
        log.info(line)
        close_log(log)
    lines = (tmp_path / "train.log").read_text().splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO resumed", lines[1])


def test_a_full_disk_is_told_once_when_it_is_written_and_closed(capfd):
    told = []
    log = open_log(Path("/dev/full"), told.append)
    for _ in range(3):
        log.info("lost")
    close_log(log)
    assert told == ["cannot write /dev/full: No space left on device"]
    assert capfd.readouterr() == ("", "")


def test_one_that_cannot_be_opened_is_one_line(tmp_path):
    with pytest.raises(RunError, match=r"cannot write .*Is a directory"):
        open_log(tmp_path, pytest.fail)


def test_one_that_was_deleted_is_begun_anew_and_a_lost_folder_is_told_once(tmp_path):
    told, path = [], tmp_path / "run" / "train.log"
    path.parent.mkdir()
    log = open_log(path, told.append)
    path.unlink()
    log.info("first")
    assert path.read_text().endswith("INFO first\n") and told == []
    path.parent.rename(tmp_path / "moved")
    log.info("lost")
    log.info("lost too")
    assert told == [f"cannot write {path}: No such file or directory"]
    path.parent.mkdir()
    log.info("last")
    assert path.read_text().endswith("INFO last\n") and path.read_text().count("\n") == 1
    close_log(log)


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "train.log")
    with pytest.raises(RunError, match="it is a pipe"):
        open_log(tmp_path / "train.log", pytest.fail)
