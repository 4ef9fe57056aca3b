"""train.log: what is in it, and what a disk without room does to it."""

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
