"""What a replay says and what the page reads are the same: no field is written that nobody reads, none read that
nobody writes."""

import pytest

from page.test_world_parity import EVERYTHING
from support.browser import wait_until
from support.learning import FEW_MAPS, SMALL_NETWORK, network_of
from support.replays import CPU, origin_of, play
from townlet.config import load_level
from townlet.page.format import COLUMNS
from townlet.page.html import to_html
from townlet.page.recorder import Wanted, record
from townlet.population.evaluation import RandomPolicy

pytestmark = pytest.mark.browser

# A header hands out parts that note which of their fields are asked for, there or not. Once each is asked for by the
# check of the whole header's shape, as it is read: only who asks again looks at it.
WATCHED = """
const parse = JSON.parse.bind(JSON);
window.asked = {read: new Set(), missing: new Set(), there: new Set()};
const plain = new Set([...Object.getOwnPropertyNames(Object.prototype), "then", "toJSON"]);
function watch(value, path) {
  if (value === null || typeof value !== "object") return value;
  const list = Array.isArray(value);
  for (const [key, part] of Object.entries(value)) {
    const at = list ? path + "[]" : path + "." + key;
    if (!list) window.asked.there.add(at);
    value[key] = watch(part, at);
  }
  if (list) return value;
  const checked = new Set();
  return new Proxy(value, {
    get(target, key, self) {
      if (typeof key === "string" && !plain.has(key)) {
        if (!(key in target)) window.asked.missing.add(path + "." + key);
        else if (checked.has(key)) window.asked.read.add(path + "." + key);
        checked.add(key);
      }
      return Reflect.get(target, key, self);
    },
  });
}
JSON.parse = (text, ...more) => {
  const value = parse(text, ...more);
  return value !== null && typeof value === "object" && "format" in value ? watch(value, "header") : value;
};
"""


def pages():
    """A level with all that a world may have, and one with a memory of each form."""
    memory = [{"kind": "delta", "keys": 4, "values": 2, "keep": 1.0}, {"kind": "spectral", "lags": 4, "keep": 0.9}]
    yield load_level("3", {**FEW_MAPS, **EVERYTHING, **SMALL_NETWORK, "max_steps": 12})
    yield load_level("2", {**FEW_MAPS, **SMALL_NETWORK, "network.memory": memory, "max_steps": 12})


def look_at_everything(page):
    """Open each part of the page, and let time go by."""
    page.locator(".life[aria-valuenow]").wait_for()
    for tab in page.get_by_role("tab").all():
        tab.click()
    page.get_by_role("button", name="About this replay").click()
    page.get_by_role("button", name="Close").locator("visible=true").click()
    for key in ("End", "ArrowLeft", "Home", "n", "f", "j", "t"):
        page.keyboard.press(key)
    wait_until(page, "() => document.querySelector('button.proof').title !== 'What this page computes itself'")


def test_every_field_that_is_written_is_read_and_none_that_is_not(sheet, tmp_path):
    there, read, missing = set(), set(), set()
    for index, level in enumerate(pages()):
        noted, _ = play(level, RandomPolicy(1, CPU), 2)
        path = tmp_path / f"{index}.html"
        path.write_text(
            to_html(record(level, network_of(level), noted, Wanted(range(2), planner=True), origin_of(level)))
        )
        page = sheet(path.as_uri(), before=WATCHED)
        look_at_everything(page)
        asked = page.evaluate("Object.fromEntries(Object.entries(asked).map(([name, paths]) => [name, [...paths]]))")
        there |= set(asked["there"])
        read |= set(asked["read"])
        missing |= set(asked["missing"])
    assert {"header.world.meters[].lethal", "header.network.memory[].kind", "header.weights[].offset"} <= there
    assert there - read == set()
    assert missing == set()


def test_every_column_is_named_in_the_page():
    from townlet.page.html import SITE

    code = "".join(path.read_text() for path in SITE.rglob("*.js"))
    assert [name for name in COLUMNS if f'"{name}"' not in code] == []
