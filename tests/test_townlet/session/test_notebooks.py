"""The notebooks run from top to bottom, and are kept without what they show."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))


def names(paths):
    return [path.stem for path in paths]


def test_there_are_three_of_them():
    assert names(NOTEBOOKS) == ["first_evening", "your_own_environment", "your_own_world"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names(NOTEBOOKS))
def test_a_notebook_is_kept_without_outputs_and_begins_by_saying_how_to_install(path):
    book = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert {cell["execution_count"] for cell in code} == {None}
    assert book["metadata"].keys() == {"kernelspec", "language_info"} and book["nbformat"] == 4
    first = "".join(code[0]["source"])
    assert 'find_spec("townlet")' in first and "%pip install" in first and "git+" in first


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=names(NOTEBOOKS))
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    nbclient.NotebookClient(book, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [kind for cell in book.cells for output in cell.get("outputs", []) for kind in output.get("data", {})]
    assert "text/html" in shown  # the bar, the curves, the page
    if path.stem == "your_own_environment":
        said = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
        assert "goal: greedy return" in said and float(re.search(r"with memory (\d\.\d\d)", said)[1]) >= 0.9
