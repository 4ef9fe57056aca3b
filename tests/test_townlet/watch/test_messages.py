"""What the server sends and what the page reads: the same fields, by the same names."""

import re

from townlet.page.html import SITE
from townlet.watch import messages


def test_the_page_reads_every_field_that_is_sent_and_no_other():
    text = "".join(path.read_text() for path in (SITE / "live").glob("*.js"))
    sent = {name for kind in vars(messages).values() if isinstance(kind, type) and issubclass(kind, messages.Message)
            for name in kind.model_fields}  # fmt: skip
    assert {name for name in sent if not re.search(rf"\b{name}\b", text)} == set()
    kinds = re.search(r"KINDS = \[(.*?)\]", text)[1]
    assert set(re.findall(r'"(\w+)"', kinds)) == set(messages.EVENTS.values())
    read = set(re.findall(r"\b(?:run|message|recording|picture|group)\.(\w+)", text))
    assert read - sent <= {"state", "map", "forEach", "draw", "root", "length"}
