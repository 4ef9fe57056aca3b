"""The replay format for others: what is shipped and documented is what the code says."""

import json
from pathlib import Path

import pytest

from support.learning import network_of
from support.replays import CPU, opened, recording
from support.rooms import room
from support.schema_walk import mistakes
from townlet.commands import cli
from townlet.config import Level, load_level
from townlet.environment.tables import make_tables
from townlet.level.file import configs_directory, shipped_levels
from townlet.page.format import COLUMNS
from townlet.page.header import FORMAT
from townlet.page.schema import FILE_NAME, replay_schema, schema_text, tables_text
from townlet.page.world import describe_world

DOCUMENT = Path(__file__).parents[3] / "docs" / "replays.md"
SCHEMA = replay_schema()


@pytest.fixture(scope="module")
def header():
    level = Level.model_validate_json(json.dumps(room()))
    return opened(recording(level, network_of(level), agents=2))[0]


def test_the_shipped_file_is_what_the_types_say():
    shipped = json.loads((configs_directory() / FILE_NAME).read_text())
    assert shipped == SCHEMA, f"run: townlet schema --replay --out configs/{FILE_NAME}"


def test_the_document_has_the_tables_that_the_types_make():
    _, _, after = DOCUMENT.read_text().partition("<!-- tables: written by `townlet schema --replay --tables` -->\n\n")
    assert after.partition("\n<!-- end of tables -->")[0] == tables_text()


def test_the_header_of_a_recording_is_right_by_the_schema(header):
    assert mistakes(header, SCHEMA, SCHEMA) == []
    header["columns"][0] |= {"name": "walls"}
    header["lives"][0]["length"] = 0
    assert mistakes(header, SCHEMA, SCHEMA) == ["lives[0].length: minimum", "columns[0].name: oneOf"]


def test_every_column_is_named_in_the_schema_and_said_what_it_is():
    names = SCHEMA["$defs"]["ColumnRow"]["properties"]["name"]["oneOf"]
    assert [one["const"] for one in names] == list(COLUMNS) and all(one["description"] for one in names)
    assert SCHEMA["properties"]["format"]["const"] == FORMAT


@pytest.mark.parametrize("name", shipped_levels())
def test_the_world_of_every_shipped_level_can_be_told(name):
    level = load_level(
        name, {"layout.training_maps": 2, "layout.evaluation_maps": 2} if name not in ("0", "0.5") else {}
    )
    world = describe_world(level, make_tables(level, "evaluation", CPU))
    assert [one.name for one in world.meters] == list(level.present_meters)
    assert [one.name for one in world.actions] == list(level.actions)
    for row, one in zip(world.affordances, level.affordances.values(), strict=True):
        for meter, cost, whole in zip(level.present_meters, row.cost, row.whole_cost, strict=True):
            assert whole == one.costs.get(meter, 0.0) and cost * row.ticks == pytest.approx(whole)
        given = [tick * row.ticks + last for tick, last in zip(row.effect, row.bonus, strict=True)]
        assert given == pytest.approx(list(row.whole_effect))


def test_the_command_prints_it_or_writes_it(tmp_path, capsys):
    assert cli.main(["schema", "--replay"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
    path = tmp_path / "own.json"
    assert cli.main(["schema", "--replay", "--out", str(path)]) == 0
    assert path.read_text() == schema_text() and capsys.readouterr().out == f"written into {path}\n"
    assert cli.main(["schema", "--replay", "--tables"]) == 0
    assert capsys.readouterr().out == tables_text()
    with pytest.raises(SystemExit, match="2"):
        cli.main(["schema", "--tables"])
    assert "--tables: expected --replay beside it" in capsys.readouterr().err
