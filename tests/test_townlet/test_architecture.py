"""The page for newcomers: its map is today's, and every function that a document links is where the link leads."""

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import house_map
import pytest
from house import names_in
from house_floors import LANE, floors_of, lay_out, without_detours

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

# --- the map -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def picture() -> str:
    return house_map.picture()


def test_the_picture_of_the_rooms_is_todays(picture):
    assert house_map.PICTURE.read_text(encoding="utf-8") == picture, "run: make map"


def test_the_table_of_the_rooms_is_todays():
    text = house_map.PAGE.read_text(encoding="utf-8")
    assert house_map.page(text) == text, "run: make map"


def test_the_picture_asks_for_nothing_from_elsewhere_and_knows_light_and_dark(picture):
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<(script|image|foreignObject)|@import|@font-face|url\((?!#)", picture)
    assert "prefers-color-scheme: dark" in picture
    assert ElementTree.fromstring(picture).get("role") == "img"


def test_every_room_and_module_at_the_top_has_its_box(picture):
    drawn = re.findall(r'<text class="name"[^>]*>([\w/]+)</text>', picture)
    folders = {path.name for path in house_map.house.SOURCE.iterdir() if (path / "__init__.py").is_file()}
    modules = {path.stem for path in house_map.house.SOURCE.glob("*.py")} - {"__init__"}
    assert sorted(drawn) == sorted({"src/townlet"} | folders | modules)


def test_a_way_that_others_lead_to_as_well_is_left_out():
    pairs = {("roof", "hall"), ("hall", "cellar"), ("roof", "cellar"), ("roof", "yard"), ("yard", "cellar")}
    assert without_detours(pairs) == pairs - {("roof", "cellar")}
    assert without_detours({("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")}) == {("a", "b"), ("b", "c"), ("c", "d")}


def test_each_box_stands_above_all_that_it_leads_to_and_one_that_leads_nowhere_just_below_its_importers():
    pairs = [("roof", "hall"), ("hall", "cellar"), ("hall", "shed"), ("roof", "lamp")]
    floors = floors_of(["roof", "hall", "cellar", "shed", "lamp"], pairs)
    assert floors == {"roof": 2, "hall": 1, "cellar": 0, "shed": 0, "lamp": 1}


def test_ways_do_not_cross_where_they_need_not():
    pairs = [("roof", "left"), ("roof", "right"), ("left", "west"), ("right", "east")]
    laid = lay_out(["east", "left", "right", "roof", "west"], pairs, box_width=100)
    assert (laid.x["left"] < laid.x["right"]) == (laid.x["west"] < laid.x["east"])
    assert {laid.x["left"], laid.x["right"]} == {50, laid.width - 50}


def test_a_long_way_passes_the_floors_between_in_a_lane_of_its_own():
    laid = lay_out(
        ["a", "b", "c", "d", "e"], [("a", "b"), ("b", "c"), ("c", "d"), ("a", "e"), ("e", "d")], box_width=100
    )
    (long,) = [way for way in laid.ways if way.lanes]
    assert (long.above, long.below) == ("a", "e")  # from the third floor to the first, past the second
    assert sorted(laid.order[2]) == sorted(["b", *long.lanes]) and len(long.lanes) == 1


def test_in_the_picture_no_box_or_way_lies_over_another():
    boxes, known = house_map.boxes(), house_map.imported()
    pairs = [pair for pair in known if house_map.GROUND not in pair]
    laid = lay_out(list(boxes), pairs, house_map.BOX)
    for row in laid.order:
        for one, other in combinations(row, 2):
            widths = [house_map.BOX if name in boxes else LANE for name in (one, other)]
            assert laid.x[other] - laid.x[one] > sum(widths) / 2, (one, other)


# --- what documents link -----------------------------------------------------------------------------------------


def links() -> list[tuple[Path, str, Path]]:
    """Each link to a Python file whose text is a name: the document, the name, and the file."""
    return [
        (document, name, document.parent / target)
        for document in DOCUMENTS
        for name, target in re.findall(r"\[`([\w.]+)`\]\(([^)#:]+\.py)\)", document.read_text())
        if not name.endswith(".py")
    ]


def test_every_function_that_a_document_links_stands_in_the_file_that_the_link_leads_to():
    known = {path: names_in(path) for path in {path.resolve() for _, _, path in links()}}
    assert [(document.name, name) for document, name, path in links() if name not in known[path.resolve()]] == []
    assert len(links()) > 30


def test_the_way_of_a_transition_begins_at_a_file_and_ends_in_a_gradient():
    way = [name for document, name, _ in links() if document.name == "architecture.md"]
    told = ["load_task", "make_tables", "VectorizedEnv.step", "ReplayTape.write", "QLearner.update", "lambda_returns"]
    assert [name for name in way if name in told][: len(told)] == told
