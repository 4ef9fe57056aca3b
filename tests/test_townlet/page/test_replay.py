"""Replay files: what they hold comes back, and whatever else is in them is refused in a sentence."""

import json
import os
import random
import tracemalloc
import zlib

import numpy as np
import pytest

from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.replays import closed, opened, recording, tampered
from support.rooms import room
from townlet.config import Level, load_level
from townlet.page import replay
from townlet.page.format import COLUMNS, columns_of
from townlet.page.header import FORMAT
from townlet.page.numbers import load, store
from townlet.page.replay import ReplayError, read, unpack

NOISE = random.Random(0).randbytes(64)


@pytest.fixture(scope="module")
def packed():
    """Four lives of five ticks in a room of three cells."""
    level = Level.model_validate_json(json.dumps(room()))
    return recording(level, network_of(level), agents=4, planner=True)


def refusal(packed):
    with pytest.raises(ReplayError) as refused:
        unpack(packed)
    said = str(refused.value)
    assert "\n" not in said and len(said) < 500 and said.startswith("replay: ")
    return said.removeprefix("replay: ")


# --- numbers ------------------------------------------------------------------------------------------------------


def stored(name, values, lived):
    return store(COLUMNS[name], np.array(values, dtype=np.float64), np.array(lived))


def test_numbers_are_scaled_between_the_least_and_the_greatest_that_were_lived():
    """Of the first component 1.0 to 3.0, of the second only 7.0; what lies after the end does not count, and is 0."""
    one = stored("memory", [[[1.0, 3.0, 99.0], [7.0, 7.0, np.nan]]], [[True, True, False]])
    assert one.stored.dtype == np.uint8 and one.stored.tolist() == [[[0, 255, 0], [0, 0, 0]]]
    assert one.low == (1.0, 7.0) and one.scale == (pytest.approx(2.0 / 255), 1.0)


def test_values_of_actions_have_one_scale_so_that_stored_ones_compare():
    one = stored("q", [[[-1.0, 0.0], [1.0, 2.0]]], [[True, True]])
    assert one.stored.tolist() == [[[0, 21845], [43690, 65535]]]  # thirds of 65,535
    assert one.low == (-1.0, -1.0)


def test_meters_are_shares_of_full_whatever_they_are():
    one = stored("meters", [[[0.2, 0.6]]], [[True, True]])
    assert one.stored.tolist() == [[[13107, 39321]]] and one.low == (0.0,)  # a fifth of 65,535, and three


@pytest.mark.parametrize(("most", "kind"), [(255, "uint8"), (256, "uint16"), (65_536, "uint32")])
def test_whole_numbers_take_the_smallest_type_that_holds_them(most, kind):
    one = stored("tick", [[[0, most]]], [[True, True]])
    assert one.stored.dtype == kind and one.stored.tolist() == [[[0, most]]] and one.low is None


def test_what_is_no_number_is_not_stored():
    with pytest.raises(ValueError, match=r"q: life 0, component 1, step 2: expected a finite number, got nan"):
        stored("q", [[[0.0] * 3, [0.0, 0.0, np.nan]]], [[True] * 3])
    with pytest.raises(ValueError, match=r"tick: expected whole numbers from 0 to 4294967295, got -1 to 0"):
        stored("tick", [[[-1, 0]]], [[True, True]])


def test_numbers_come_back_to_half_a_step_of_their_scale(packed):
    one, values = unpack(packed), np.random.default_rng(0).normal(size=(4, 4, 5))
    held = store(COLUMNS["q"], values, np.ones((4, 5), dtype=bool))
    row = one.row("q").model_copy(update={"low": held.low, "scale": held.scale})
    assert np.abs(load(row, held.stored) - values).max() <= held.scale[0] * 0.5 + 1e-6


# --- whole files --------------------------------------------------------------------------------------------------


def test_a_file_is_what_the_format_says_it_is(packed):
    header, body = opened(packed)
    assert header["format"] == FORMAT and [row["name"] for row in header["columns"]] == list(COLUMNS)
    end = 0
    for row in header["columns"]:
        assert row["offset"] == end
        size = np.prod(row["shape"]) * np.dtype(row["type"]).itemsize
        end = -(-(end + size) // 4) * 4
    assert end == header["weights"][0]["offset"]
    row = next(row for row in header["columns"] if row["name"] == "position")
    lives, axes, frames = row["shape"]
    by_hand = np.frombuffer(body, np.uint8, lives * axes * frames, row["offset"]).reshape(lives, axes, frames)
    assert (by_hand == unpack(packed)["position"]).all()


def test_a_file_is_read_by_its_path(packed, tmp_path):
    path = tmp_path / "one.replay"
    path.write_bytes(packed)
    one = read(path)
    assert [*one] == list(COLUMNS) and "q" in one and "walls" not in one
    assert [life.length for life in one.lives] == [5] * 4 and one["action"].shape == (4, 1, 5)
    assert one["tick"][0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert one["meters"][0, 0] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.0], abs=1e-5)  # breath


def test_without_a_memory_there_are_no_columns_of_it():
    level = Level.model_validate_json(json.dumps(room(network={"kind": "feed_forward", "hidden": [4]})))
    one = unpack(recording(level, network_of(level), agents=2, weights=False, planner=True))
    assert {*COLUMNS} - {*one} == {"q_blank", "memory"} and one.header.memory == () and one.weights is None
    assert [column.name for column in columns_of(one.header)] == [*one]


# --- what is no replay --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\x1f\x8b\x08", b"\x89PNG\r\n", random.Random(0).randbytes(64), b"x" * 1000]
)
def test_what_is_no_replay_is_refused(content):
    assert "expected a whole replay of Townlet" in refusal(content)


def test_one_that_is_cut_off_or_flipped_in_a_bit_is_refused(packed):
    dice = random.Random(0)
    for cut in dice.sample(range(len(packed)), 40):
        assert "expected a whole replay" in refusal(packed[:cut])
    for spot in dice.sample(range(len(packed)), 100):
        damaged = bytearray(packed)
        damaged[spot] ^= 1 << dice.randrange(8)
        assert refusal(bytes(damaged)).startswith("expected ")


def test_bytes_after_its_end_are_refused(packed):
    assert refusal(packed + b"more") == "expected nothing after its end, got 4 bytes"


def test_one_that_inflates_without_end_fills_no_memory(monkeypatch):
    monkeypatch.setattr(replay, "MOST_BODY", 1 << 20)
    bomb = zlib.compress(bytes(32 << 20), 1)
    tracemalloc.start()
    assert refusal(bomb) == "expected at most 2,097,156 bytes once inflated, got more"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 << 20


@pytest.mark.parametrize("length", [1 << 31, 6, 5000])
def test_a_length_of_the_header_that_cannot_be_is_refused(length):
    said = refusal(zlib.compress(length.to_bytes(4, "little") + b"{}  " * 8))
    assert said == f"expected the length of a header, a multiple of 4 up to 32, got {length:,}"


def test_paths_that_hold_no_file_are_refused(tmp_path, monkeypatch, packed):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(packed)
    monkeypatch.setattr(replay, "MOST_FILE", 100)
    for name, said in {
        "nowhere": "expected a file, got nothing there",
        ".": "expected a file, got something else",
        "pipe": "expected a file, got something else",
        "large": f"expected at most 100 bytes, got {len(packed):,}",
    }.items():
        with pytest.raises(ReplayError) as refused:
            read(tmp_path / name)
        assert str(refused.value) == f"{tmp_path / name}: {said}"


# --- headers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"no JSON", "expected a header of JSON, got other text"),
        (b"\xff\xfe", "expected a header of JSON, got other text"),
        (b"[" * 100_000, "expected a header of JSON, got other text"),
        (b'{"a":' * 100_000, "expected a header of JSON, got other text"),
        (b"[]", f"format: expected '{FORMAT}', got none"),
        (b"{}", f"format: expected '{FORMAT}', got none"),
        (b'{"format": 7}', f"format: expected '{FORMAT}', got another"),
        (b'{"format": "townlet-replay/2"}',
         f"format: expected '{FORMAT}', got 'townlet-replay/2', of another version of Townlet"),
        (b'{"format": "townlet-replay/1"}', "origin: expected a mapping, got nothing"),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else "",
)  # fmt: skip
def test_a_header_that_is_none_is_refused(text, said):
    assert refusal(closed(text, b"")) == said


def put(value, *path):
    """A change of a header: a value at a path."""

    def change(header):
        *outer, last = path
        for part in outer:
            header = header[part]
        header[last] = value

    return change


def column(name, key, value):
    return put(value, "columns", list(COLUMNS).index(name), key)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put(3.5, "steps"), "steps: expected an integer, at least 1, got 3.5"),
        (put(True, "steps"), "steps: expected an integer, at least 1, got true"),
        (put("5", "steps"), "steps: expected an integer, at least 1, got '5'"),
        (put(1, "walls"), "walls: expected one of"),
        (put(float("nan"), "world", "threshold"), "world.threshold: expected a finite number"),
        (put(float("inf"), "lives", 0, "total_reward"), "lives.0.total_reward: expected a"),
        (put(None, "lives"), "lives: expected a list"),
        (put([1] * 5_000, "lives"), "expected a header of townlet-replay/1, got one with 5,00"),
        (put([], "columns"), "columns: expected tick, position"),
        (column("q", "name", "tick"), "columns: expected tick, position"),
        (column("q", "shape", [4, 4, 2**31 - 1]), "columns q: expected shape [4, 4, 5], got [4, 4, 2147483647]"),
        (column("q", "shape", [4, 4]), "columns.8.shape"),
        (column("q", "every", 2), "columns q: expected shape [4, 4, 3]"),
        (column("q", "type", "uint8"), "columns q: expected type uint16, got uint8"),
        (column("q", "type", "object"), "columns.8.type: expected one of uint8, uint16, uint32"),
        (column("q", "offset", 0), "columns q: expected offset"),
        (column("q", "low", None), "columns q: expected 4 low, got none"),
        (column("q", "scale", [1.0]), "columns q: expected 4 scale, got 1"),
        (column("tick", "low", [0.0]), "columns tick: expected no low, got 1"),
        (put(9, "steps"), "steps: expected 5, the length of the longest life, got 9"),
        (put([[3, 0], None], "lives", 1, "places"), "lives[1]: expected places on 3x1 cells, got [3, 0]"),
        (put([], "lives", 1, "places"), "lives[1]: expected 2 places, got 0"),
        (put("limit", "lives", 0, "ended"), "lives[0]: expected a cause of deaths alone, got 0 of one that ended by"),
        (put(2, "lives", 0, "cause"), "lives[0]: expected a meter below 2 as cause, got 2"),
        (put([0.0], "world", "affordances", 0, "bonus"), "world.affordances Chair: expected 2 numbers as bonus, got 1"),
        (put([2**31 - 1] * 8, "weights", 0, "shape"), "weights "),
        (put(-1, "weights", 0, "offset"), "weights.0.offset: expected"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_header_whose_parts_do_not_fit_is_refused(change, said, packed):
    assert refusal(tampered(packed, change)).startswith(said)


def test_a_file_of_an_earlier_version_whose_pulls_had_names_is_read():
    level = load_level("2", {**FEW_MAPS, **SMALL_NETWORK, "max_steps": 4})
    packed = recording(level, network_of(level), agents=1)
    assert all("name" not in group for group in opened(packed)[0]["world"]["cascades"])
    earlier = tampered(packed, put("hunger hurts", "world", "cascades", 0, "name"))
    assert (unpack(earlier)["q"] == unpack(packed)["q"]).all()


MADE_UP = [None, True, -1, 0, 2**31, 2**64, 10**400, 1e308, float("nan"), "", [], {}, [[]], [1] * 9, {"a": 1}]


def spots(node, path=()):
    """Every place in nested mappings and lists."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from spots(value, (*path, key))


def test_whatever_stands_in_a_header_it_is_read_or_refused_in_a_sentence(packed):
    header, _ = opened(packed)
    dice, places, read_well = random.Random(0), list(spots(header)), 0
    for _ in range(150):
        made_up = dice.choice(MADE_UP)
        wrong = tampered(packed, put(made_up, *dice.choice(places)))
        try:
            one = unpack(wrong)
        except ReplayError as error:
            assert "\n" not in str(error) and len(str(error)) < 600
        else:
            read_well += 1
            assert all(one[name].size for name in one)
    assert read_well < 50


def test_numbers_that_stand_for_nothing_are_refused(packed):
    header, body = opened(packed)
    place = {row["name"]: row["offset"] for row in [*header["columns"], *header["weights"]]}
    first = header["weights"][0]["name"]
    for name, value, said in (
        ("position", b"\x03", "columns position: expected numbers below 3, got 3"),
        ("action", b"\x04", "columns action: expected numbers below 4, got 4"),
        ("allowed", b"\x10", "columns allowed: expected numbers below 16, got 16"),
        ("completed", b"\x03", "columns completed: expected numbers below 3, got 3"),
        (first, np.float32(np.nan).tobytes(), f"weights {first}: expected finite numbers, got nan"),
    ):
        wrong = bytearray(body)
        wrong[place[name] : place[name] + len(value)] = value
        assert refusal(closed(header, bytes(wrong))) == said
    for size in (body[:-4], body + b"\0\0\0\0", b""):
        assert refusal(closed(header, size)) == f"body: expected {len(body):,} bytes, got {len(size):,}"
