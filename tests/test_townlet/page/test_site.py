"""The page's own tests: plain JavaScript, run by the Node.js that comes with Playwright."""

from pathlib import Path

import pytest

from node import node_tests, run_node

TESTS = Path(__file__).parent / "site"


@pytest.mark.parametrize("file", node_tests(TESTS), ids=lambda path: path.name)
def test_of_the_page(file: Path) -> None:
    done = run_node("--test", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_test_of_the_page_that_fails_is_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.test.mjs"
    wrong.write_text('import assert from "node:assert"; import test from "node:test"; test("no", () => assert(false));')
    assert run_node("--test", str(wrong)).returncode != 0
