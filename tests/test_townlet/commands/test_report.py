"""`townlet report` writes the page of any run, also of one that was trained before there were pages."""

import pytest

from support.reports import write_run
from townlet.commands import cli


def test_the_page_of_a_run_lies_in_its_folder_or_where_it_is_asked_for(tmp_path, capsys):
    run, out = write_run(tmp_path / "room_room"), tmp_path / "page.html"
    assert cli.main(["report", "run", "--runs-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"written into {run / 'report.html'}\n"
    assert cli.main(["report", str(run), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"written into {out}\n"
    assert all("greedy survival" in path.read_text() for path in (out, run / "report.html"))


@pytest.mark.parametrize("spoil", ["metrics", "none", "config", "folder", "run"])
def test_what_cannot_be_read_or_written_is_one_line(spoil, tmp_path, capsys):
    run, flags, code = write_run(tmp_path / "room_room"), [], 1
    if spoil == "metrics":
        (run / "metrics.sqlite").write_bytes(b"no database" * 200)
    elif spoil == "none":
        (run / "metrics.sqlite").unlink()
    elif spoil == "config":
        (run / "config.yaml").write_text("id: [")
        code = 2
    elif spoil == "folder":
        flags = ["--out", str(tmp_path / "no" / "page.html")]
    reference = "none" if spoil == "run" else str(run)
    assert cli.main(["report", reference, "--runs-dir", str(tmp_path), *flags]) == code
    said = capsys.readouterr()
    assert spoil not in ("metrics", "none") or f"{run / 'metrics.sqlite'}: expected a run's metrics, got " in said.err
    assert said.out == "" and said.err.count("\n") == 1 and not (run / "report.html").exists()
