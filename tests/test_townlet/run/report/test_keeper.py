"""The page of a run that trains is kept up to date, costs little, and a failure of it costs nothing."""

import logging
from contextlib import closing

from support.reports import write_run
from townlet.config import load_task
from townlet.run.report import keeper
from townlet.run.report.keeper import Keeper
from townlet.run.run_directory import RunDirectory
from townlet.run.side_effects import SideEffects


def test_it_is_renewed_after_half_a_minute_and_written_at_the_end(tmp_path, monkeypatch):
    written, now = [], [1000.0]
    monkeypatch.setattr(keeper, "write_report", lambda task, run, path: written.append((now[0], path)))
    monkeypatch.setattr(keeper.time, "monotonic", lambda: now[0])
    run = write_run(tmp_path)
    with closing(RunDirectory.open(run)) as folder:
        page = Keeper(load_task(run / "config.yaml"), folder, SideEffects(logging.Logger("test"), print, lambda: True))
        for passed in (0, 10, 10, 10, 10):
            now[0] += passed
            page.renew()
        page.write()
    assert written == [(at, run / "report.html") for at in (1000.0, 1030.0, 1040.0)]


def test_what_fails_is_told_once_and_is_not_missed_where_it_is_there_in_the_end(tmp_path, monkeypatch):
    told, fails = [], [True]

    def write(*arguments):
        if fails[0]:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeper, "write_report", write)
    run = write_run(tmp_path)
    aside = SideEffects(logging.Logger("test"), told.append, lambda: True)
    with closing(RunDirectory.open(run)) as folder:
        page = Keeper(load_task(run / "config.yaml"), folder, aside)
        page.write()
        page.write()
        what = f"write {run / 'report.html'}"
        assert told == [f"cannot {what}: No space left on device; training goes on"] and aside.missing == {what}
        fails[0] = False
        page.write()
    assert aside.missing == set()
