"""What stands beside the source for those who contribute, cite or upgrade says what is so."""

import re
import tomllib
from pathlib import Path

import house
import yaml

import townlet
from townlet.page.html import SITE

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_what_contributing_says_to_make_and_run_is_there():
    targets = set(re.findall(r"\bmake ([a-z][a-z-]*)", CONTRIBUTING))
    assert {"test", "lint", "map", "mutants"} <= targets
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    commands = [
        line for block in re.findall(r"```sh\n(.*?)```", CONTRIBUTING, re.DOTALL) for line in block.splitlines()
    ]
    for command in commands:
        match command.split("#")[0].split():
            case [program] if "/" in program:
                assert (ROOT / program).is_file(), command
            case ["pytest", "-k", words]:
                assert any(f"def test_{words}" in path.read_text() for path in ROOT.glob("tests/**/*.py")), command
            case ["pytest", folder]:
                assert (ROOT / folder).is_dir(), command
            case words:
                assert words[0] in ("make", "."), command


def test_the_mistake_that_contributing_makes_is_listed():
    listed = (ROOT / "tests" / "mutants.yaml").read_text()
    (name,) = re.findall(r"--only ([\w-]+)", CONTRIBUTING)
    assert f"- name: {name}\n" in listed


def test_contributing_tells_every_mark_of_the_tests():
    marks = {mark.split(":")[0] for mark in PROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    assert marks == set(re.findall(r"^\| `(\w+)` \|", CONTRIBUTING, re.MULTILINE))


def test_what_contributing_shows_stands_in_the_source():
    blocks = re.findall(r"^```python\n# (\S+)\n(.*?)^```", CONTRIBUTING, re.MULTILINE | re.DOTALL)
    assert len(blocks) == CONTRIBUTING.count("```python") > 3
    assert [file for file, code in blocks if code not in (ROOT / file).read_text()] == []


def test_the_newest_version_of_the_changelog_is_the_packages():
    versions = re.findall(r"^## \[(.+?)\]", CHANGELOG, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert versions[1] == townlet.__version__ == PROJECT["project"]["version"]


def test_where_the_changelog_says_that_a_module_is_now_it_is():
    places = re.findall(r"^  \|[^|]+\|([^|]+)\|$", CHANGELOG, re.MULTILINE)
    named = {name for place in places for name in re.findall(r"`townlet\.([\w.]+)`", place)}
    modules = {name.rpartition(".")[0] if name not in house.sources() else name for name in named}
    assert len(named) > 15 and modules <= set(house.sources())


def test_the_citation_is_of_this_version_by_its_authors():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["message"] and citation["title"] == "Townlet"
    assert citation["version"] == townlet.__version__
    assert citation["authors"] == PROJECT["project"]["authors"]
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["keywords"] == PROJECT["project"]["keywords"]


def test_the_source_distribution_holds_what_the_tests_read():
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    documents = {"/docs", "/mkdocs.yml", "/CONTRIBUTING.md", "/CHANGELOG.md", "/CITATION.cff"}
    assert documents | {"/Makefile", "/tests", "/.ci"} <= set(included)


def test_the_wheel_carries_the_site():
    """Every file below the package goes into the wheel, but what is ignored: so none of the site may be."""
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel.keys() == {"packages", "force-include"} and wheel["packages"] == ["src/townlet"]
    site = [path.relative_to(SITE) for path in SITE.rglob("*") if path.is_file()]
    assert {"index.html", "style.css", "main.js", "views/town.js", "format/replay.js"} <= {str(path) for path in site}
    assert {path.suffix for path in site} == {".html", ".css", ".js"}
    ignored = [line.strip("/*") for line in (ROOT / ".gitignore").read_text().splitlines() if line and line[0] != "#"]
    assert {part for path in site for part in path.parts}.isdisjoint(ignored)
