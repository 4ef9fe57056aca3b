"""A replay as a page of one file: all that it needs stands in it, and nothing that it holds gets out."""

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser

import pytest

from townlet.page.html import SITE, modules, to_html

PACKED = bytes(range(256)) * 3


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and what stands in scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.within = [], [], None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.within = (tag, dict(attributes))
        self.tags.append(self.within)

    def handle_endtag(self, tag):
        self.within = None

    def handle_data(self, text):
        self.texts.append((self.within, text))

    def text(self, tag, **attributes):
        """What stands in the one tag of these attributes."""
        found = [text for of, text in self.texts if of and of[0] == tag and attributes.items() <= of[1].items()]
        return "".join(found)


@pytest.fixture(scope="module")
def page():
    return to_html(PACKED, "A <title> & more")


@pytest.fixture(scope="module")
def tags(page):
    return Tags(page)


def decoded(address):
    kind, _, content = address.partition(",")
    assert kind == "data:text/javascript;base64"
    return base64.b64decode(content).decode()


def test_the_replay_stands_in_it_byte_for_byte(tags):
    assert base64.b64decode(tags.text("script", id="replay")) == PACKED


def test_others_to_compare_it_with_stand_beside_it():
    found = [content for of, content in Tags(to_html(PACKED, beside=[b"one", b"two"])).texts
             if of and of[1].get("class") == "beside"]  # fmt: skip
    assert [base64.b64decode(content) for content in found] == [b"one", b"two"]


def test_every_module_stands_in_its_map_as_it_lies_in_the_site(tags):
    imports = json.loads(tags.text("script", type="importmap"))["imports"]
    assert {name: decoded(address) for name, address in imports.items()} == {
        f"townlet/{path.relative_to(SITE).as_posix()}": path.read_text() for path in SITE.rglob("*.js")
    }
    assert imports == modules() and len(imports) > 10


def test_every_module_imports_such_as_are_there_by_their_bare_names():
    for name, address in modules().items():
        source = decoded(address)
        imported = re.findall(r'^(?:import|export) .*?from "(.*?)";|^import "(.*?)";', source, re.MULTILINE | re.DOTALL)
        assert {one or other for one, other in imported} <= modules().keys(), name
        assert "import(" not in source, name


def test_nothing_is_asked_for_from_elsewhere(page, tags):
    for tag, attributes in tags.tags:
        assert attributes.keys().isdisjoint({"src", "srcset", "action", "ping", "background"}), tag
        assert attributes.get("href", "data:,") == "data:,"
    style = tags.text("style")
    everything = [style, page.partition("<style>")[0], *map(decoded, modules().values())]
    assert not re.search(r"url\(|@import", style)
    known = {"http://www.w3.org/2000/svg"}  # the name of a language, which nobody asks for
    assert {found for text in everything for found in re.findall(r"https?://[\w./]+", text)} <= known


def test_it_may_run_its_own_two_scripts_and_its_modules_and_do_nothing_else(tags):
    (policy,) = [tag["content"] for name, tag in tags.tags if tag.get("http-equiv") == "Content-Security-Policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}

    def digest(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    scripts = [digest(tags.text("script", type=kind)) for kind in ("importmap", "module")]
    assert rules == {
        "default-src": ["'none'"], "script-src": [*scripts, "data:"], "style-src": [digest(tags.text("style"))],
        "img-src": ["data:"], "base-uri": ["'none'"], "form-action": ["'none'"],
    }  # fmt: skip
    before, policy_tag, _ = to_html(PACKED).partition("<meta http-equiv")
    assert policy_tag and "<script" not in before and "<style" not in before, "a policy holds for what comes after it"


@pytest.mark.parametrize("title", ["</title><script>alert(1)</script>", '" onload="alert(1)', "&lt;b&gt;", "ñ 町"])
def test_a_title_is_text_whatever_it_says(title):
    page = to_html(PACKED, title)
    assert f"<title>{html.escape(title)}</title>" in page
    assert [tag for tag, _ in Tags(page).tags] == [tag for tag, _ in Tags(to_html(PACKED)).tags]


def test_what_a_replay_holds_is_never_read_as_html(tags):
    hostile = to_html(b"</script><script>alert(1)</script><!--<script>")
    assert [tag for tag, _ in Tags(hostile).tags] == [tag for tag, _ in tags.tags]
