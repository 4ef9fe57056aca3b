"""The documents hold together: each is in the site's navigation, and no link, path or name leads nowhere."""

import importlib.util
import inspect
import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

import house
import pytest
import yaml
from house import names_in

import townlet

ROOT = Path(__file__).parents[2]
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
LINK = re.compile(r"(?<!`)\]\(([^()\s]+)\)")  # links and pictures
AT_THE_ROOT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def prose(path: Path) -> str:
    """A page without what stands between fences."""
    return re.sub(r"^( *)```.*?^\1```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def slugs(path: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def listed(nav: Any) -> list[str]:
    """The pages of a navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    return [page for below in (nav.values() if isinstance(nav, dict) else nav) for page in listed(below)]


def test_the_readme_has_at_most_1800_words():
    assert len((ROOT / "README.md").read_text().split()) <= 1_800  # as `wc -w` counts them


def test_every_page_is_in_the_navigation_once():
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")]
    assert sorted(listed(SITE["nav"])) == sorted([*pages, *AT_THE_ROOT.values()])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_and_picture_of_a_page_leads_to_a_file_and_its_heading(page):
    for link in LINK.findall(prose(page)):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists() and path.is_relative_to(ROOT), link
        assert not anchor or anchor in slugs(path), link


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_that_a_page_names_is_there(page):
    named = re.findall(r"`((?:src|docs|configs|tests|\.ci)/[\w./-]*)`", prose(page))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_test_that_a_page_names_is_there():
    written = {name for path in ROOT.glob("tests/**/*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    named = {name for path in PAGES for name in re.findall(r"`(test_\w+)`", path.read_text())}
    assert named and named <= written, sorted(named - written)


# --- the reference -----------------------------------------------------------------------------------------------


def described() -> list[str]:
    """What the reference describes, by the name of its module and its own."""
    return [name for path in PAGES for name in re.findall(r"^::: ([\w.]+)$", path.read_text(), re.MULTILINE)]


def test_everything_that_the_reference_describes_is_in_the_source_once():
    assert len(described()) == len(set(described())) > 50
    for name in described():
        module, _, own = name.removeprefix("townlet.").rpartition(".")
        path = house.sources()[module]
        assert own in names_in(path) or re.search(rf"^    {own},$", path.read_text(), re.MULTILINE), name


def test_the_reference_describes_all_that_townlet_hands_out():
    named = [getattr(townlet, name) for name in townlet._ON_DEMAND]
    rooms = [one for one in named if inspect.ismodule(one)]
    handed = [one for one in named if one not in rooms] + [
        getattr(room, name) for room in rooms for name in room.__all__
    ]
    assert {f"{one.__module__}.{one.__qualname__}" for one in handed} <= set(described())


# --- the site ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hook():
    pytest.importorskip("mkdocs", reason="mkdocs is not installed (extra `docs`)")
    spec = importlib.util.spec_from_file_location("hook", ROOT / SITE["hooks"][0])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "link", "shown"),
    [
        ("README.md", "docs/start.md", "start.md"),
        ("README.md", "docs/results/life.gif", "results/life.gif"),
        ("README.md", "CONTRIBUTING.md", "contributing.md"),
        ("CONTRIBUTING.md", "LICENSE", "source/LICENSE.md"),
        ("docs/api/levels.md", "../your_own_world.md", "your_own_world.md"),
        ("docs/memory.md", "../src/townlet/masking.py", "source/src/townlet/masking.py.md"),
        ("docs/results/README.md", "../../README.md", "index.md"),
    ],
)
def test_a_link_of_the_repository_becomes_one_of_the_site(hook, page, link, shown):
    assert hook.in_site(hook.target(page, link)) == shown
    assert hook.in_repository(hook.in_site(page)) == page


def test_the_site_loads_nothing_from_elsewhere():
    assert SITE["theme"]["font"] is False and posixpath.isabs(SITE["site_dir"]) is False
    assert not re.search(r"https?://|extra_(javascript|css)|privacy|social", (ROOT / "mkdocs.yml").read_text())


def test_the_site_needs_only_what_its_extra_installs():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [name.partition("[")[0] for name in extras["docs"]] == ["mkdocs-material", "mkdocstrings"]
    assert SITE["theme"]["name"] == "material" and "mkdocstrings" in SITE["plugins"][1]
