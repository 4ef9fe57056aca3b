"""What a release is looked into for."""

import pytest
import release
from house import ROOT

VERSION = "9.9"


def test_a_wheel_holds_the_package_its_levels_and_what_it_is_and_nothing_else():
    whole = release.expected_in_wheel(VERSION)
    assert {"townlet/py.typed", "townlet/configs/world.yaml", "townlet/page/site/index.html"} <= whole
    assert {"townlet/commands/completion/townlet.fish", "townlet-9.9.dist-info/licenses/LICENSE"} <= whole
    assert release.look_into_wheel(sorted(whole), VERSION) == []
    other = (whole | {"tests/test_release.py", "townlet/__pycache__/train.pyc"}) - {"townlet/py.typed"}
    assert release.look_into_wheel(sorted(other), VERSION) == [
        "wheel: expected no tests/test_release.py",
        "wheel: expected no townlet/__pycache__/train.pyc",
        "wheel: expected townlet/py.typed, got none",
    ]


@pytest.mark.parametrize(
    "name", ["t-1/tests/__pycache__/a.pyc", "t-1/docs/results/life.gif", "t-1/runs/2/a.txt", "t-1/.mypy_cache/a.json"]
)
def test_a_source_distribution_brings_no_pictures_caches_and_runs(name):
    assert release.look_into_sdist(["t-1/src/townlet/train.py", "t-1/docs/results/README.md", name]) == [
        f"sdist: expected no {name}"
    ]


def test_what_is_left_behind_is_nothing_that_the_source_needs():
    kept = [path.relative_to(ROOT) for folder in ("src", "configs") for path in (ROOT / folder).rglob("*.*")]
    lost = [path for path in kept if release.LEFT_BEHIND.search(path.as_posix()) and "__pycache__" not in path.parts]
    assert lost == []


def test_the_page_of_a_package_links_to_nothing_beside_it():
    text = b"Name: townlet\nDescription-Content-Type: text/markdown\n\n[far](https://x.org/) and [near](docs/a.md)\n"
    assert release.look_at_metadata(text) == ["description: expected no link into the source, got (docs/a.md)"]
