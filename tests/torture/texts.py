"""Level files changed at random, by the hundred: each is a level or a list of lines, never a traceback."""

import random
import re
import signal
import sys
from pathlib import Path

import forks

from torture.child import Broken, server
from torture.runs import Reference

FILES = 100  # of a trial
SECONDS = 60  # for one file, on a busy machine
WORDS = (
    "null", "true", "[]", "{}", "-1", "0", "1e999", ".nan", "-.inf", "1e5", "0x7fffffffffffffff", "9" * 400, "''",
    "'\\u0000'", "~", "&a [*a]", "!!python/object:os.system x", "2026-01-01", "1:30", "- 1", "a: b", "@", "\t", "kind",
    "1_000", "ünï", "\U0001f600", "<<: *x", "?", "|", ">", "%", "#", "...", "---",
)  # fmt: skip


def levels(rng: random.Random, folder: Path, reference: Reference) -> str:
    """Change shipped levels and tasks, read each, and live a few ticks in those that are right."""
    output = folder / "broken"
    process = server().Process(target=_read_many, args=(rng.randrange(2**32), folder, output))
    forks.start(process)
    if forks.still_runs(process, FILES * SECONDS):
        forks.kill(process)
        raise Broken("level files: expected an answer to each, got none for a minute")
    if process.exitcode or output.exists():
        said = output.read_text() if output.exists() else f"exit code {process.exitcode}"
        raise Broken(f"level files: {said}")
    return f"{FILES} files"


def _read_many(seed: int, folder: Path, output: Path) -> None:
    import warnings

    import torch

    from townlet.config import ConfigError, Level, load_task
    from townlet.environment.vectorized_env import VectorizedEnv
    from townlet.level.file import configs_directory

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, _too_long)
    rng = random.Random(seed)
    shipped = sorted(configs_directory().glob("levels/*.yaml")) + sorted(configs_directory().glob("tasks/*.yaml"))
    for number in range(FILES):
        source = rng.choice(shipped)
        text = _changed(source.read_text(), rng).replace("extends: ", f"extends: {source.parent}/", 1)
        path = folder / f"level{number}.yaml"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        signal.alarm(SECONDS)
        try:
            task = load_task(path)
            if isinstance(task, Level) and task.grid.width * task.grid.height <= 1024:
                env = VectorizedEnv(task, 3, compile=False)
                env.reset()
                for _ in range(3):
                    env.step(torch.zeros(3, dtype=torch.int64))
        except ConfigError as error:
            if not error.errors or any("\n" in line or " got " not in line for line in error.errors):
                _tell(output, path, f"expected lines of what was expected and got, got {error.errors}")
        except BaseException as error:
            _tell(output, path, f"expected a level or a ConfigError, got {type(error).__name__}: {error}")
        finally:
            signal.alarm(0)
    sys.exit(0)


def _tell(output: Path, path: Path, text: str) -> None:
    with output.open("a") as file:
        file.write(f"{text[:600]}\n{path.read_bytes()!r}\n")


def _too_long(*_: object) -> None:
    raise TimeoutError(f"a file that took more than {SECONDS} s")


def _changed(text: str, rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 2, 4))):
        text = rng.choice((_value, _value, _value, _drop_line, _double_line, _swap_lines, _indent, _cut, _noise))(
            text, rng
        )
    return text


def _value(text: str, rng: random.Random) -> str:
    spots = list(re.finditer(r"(?<=[:\[,] )[^\s,\]{}\[]+", text))
    if not spots:
        return text
    spot = rng.choice(spots)
    new = rng.choice((*WORDS, str(rng.uniform(-1e3, 1e3)), str(rng.randint(-(2**70), 2**70)), str(rng.randint(0, 70))))
    return text[: spot.start()] + new + text[spot.end() :]


def _drop_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines.pop(rng.randrange(len(lines)))
    return "".join(lines)


def _double_line(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = rng.randrange(len(lines))
    return "".join([*lines[: place + 1], lines[place], *lines[place + 1 :]])


def _swap_lines(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def _indent(text: str, rng: random.Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = rng.randrange(len(lines))
    lines[place] = rng.choice(("  ", " ", "\t", "    ")) + lines[place]
    return "".join(lines)


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _noise(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice((*WORDS, chr(rng.randrange(1, 0xD7FF)))) + text[place:]
