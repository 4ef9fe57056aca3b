"""`townlet watch`: its address, its end, and what it says of wrong use."""

import os
import signal
import threading
import urllib.request

import pytest

from support.rooms import room, train_briefly
from townlet.commands import cli, watch
from townlet.config import load_gym_task, resolved_config
from townlet.watch import server


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train_briefly(tmp_path_factory.mktemp("runs"), room(), "run")


@pytest.fixture(autouse=True)
def unchanged(monkeypatch):
    """This process keeps its priority, and opens no browser."""
    monkeypatch.setattr("os.setpriority", lambda *priority: None)
    monkeypatch.setattr("webbrowser.open", lambda address: pytest.fail(address))


def watched(run, monkeypatch, *flags):
    """Run the command until it is up, and end it by Ctrl-C; returns its exit code, and what it was about to serve."""
    serve, found = server.serve, []

    def served(path, wanted, opened):
        def tell(up, address):
            opened(up, address)
            found.append((path, wanted, address))
            threading.Thread(target=ask_and_interrupt, args=(address,), daemon=True).start()

        serve(path, wanted._replace(lives=0), tell)

    def ask_and_interrupt(address):
        port = address.rstrip("/").rpartition(":")[2]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert answer.status == 200
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(watch, "serve", served)
    return cli.main(["watch", "run", "--runs-dir", str(run.parents[1]), *flags]), *found


def test_the_address_is_one_line_and_ctrl_c_ends_it_with_nothing_amiss(run, monkeypatch, capsys):
    code, (path, wanted, address) = watched(
        run, monkeypatch, "--port", "0", "--no-open", "--runs-dir", str(run.parents[1])
    )
    said = capsys.readouterr()
    assert (code, said.out, said.err) == (0, f"{address}\n", "")
    assert path == run and (wanted.host, wanted.port) == ("127.0.0.1", 0) and address.startswith("http://127.0.0.1:")
    assert watch.make_parser().parse_args(["run"]).port == 8600


def test_a_browser_is_opened_unless_nobody_wants_one(run, monkeypatch):
    assert watched(run, monkeypatch, "--port", "0", "--no-open")[0] == 0
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    _, (*_, address) = watched(run, monkeypatch, "--port", "0", "--open")
    assert opened == [address]


def test_who_listens_to_others_is_warned(run, monkeypatch, capsys):
    code, (_, wanted, address) = watched(run, monkeypatch, "--host", "0.0.0.0", "--port", "0", "--no-open")
    said = capsys.readouterr()
    assert (code, wanted.host) == (0, "0.0.0.0") and address.startswith("http://0.0.0.0:")
    warning = "whoever reaches 0.0.0.0 can see this run: there is no password, and nothing is encrypted"
    assert said.err == f"townlet watch: {warning}\n"


def test_so_many_lives_are_recorded_as_are_asked_for(run, monkeypatch):
    for flags, lives in (([], 4), (["--lives", "0"], 0), (["--lives", "9"], 9)):
        assert watched(run, monkeypatch, "--port", "0", "--no-open", *flags)[1][1].lives == lives


def test_its_process_lets_all_others_go_first(run, monkeypatch):
    asked = []
    monkeypatch.setattr("os.setpriority", lambda *priority: asked.append(priority))
    assert cli.main(["watch", "nobody", "--runs-dir", str(run.parents[1])]) == 1
    assert asked == [(os.PRIO_PROCESS, 0, 19)]


def test_who_watches_an_environment_of_gymnasium_is_told_that_there_is_no_town(run, tmp_path, monkeypatch, capsys):
    other = tmp_path / "runs" / "cart" / "run"
    other.mkdir(parents=True)
    (other / "config.yaml").write_text(resolved_config(load_gym_task("CartPole-v1")))
    assert watched(other, monkeypatch, "--port", "0", "--no-open")[0] == 0
    assert capsys.readouterr().err == (
        "townlet watch: A task of Gymnasium has no town that could be shown: there are its curves alone.\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["nobody"], 1, "townlet watch: no run 'nobody' in "), (["run", "--port", "70000"], 2, "expected 0 to 65,535"),
     (["run", "--port", "-1"], 2, "expected 0 to 65,535"), (["run", "--lives", "99"], 2, "expected 0 to 64"),
     (["run", "--host", "no such host"], 1, "townlet watch: cannot listen at no such host, port 8600"),
     ([], 2, "the following arguments are required: RUN")],
)  # fmt: skip
def test_wrong_use_is_one_line(run, capsys, words, code, said):
    try:
        got = cli.main(["watch", *words, "--no-open", "--runs-dir", str(run.parents[1])])
    except SystemExit as error:
        got = error.code
    err = capsys.readouterr().err
    assert got == code and said in err and err.count("\n") == 1


def test_a_config_that_is_wrong_is_told_in_a_line(tmp_path, capsys):
    run = tmp_path / "room" / "run"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("id: 7\n")
    assert cli.main(["watch", str(run), "--no-open", "--port", "0"]) == 2
    assert str(run / "config.yaml") in capsys.readouterr().err
