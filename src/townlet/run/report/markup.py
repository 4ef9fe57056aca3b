"""Elements of the page. All text is escaped where the page is written, so that no name can end where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, tostring

Content = str | Element


def element(tag: str, *content: Content, **attributes: str) -> Element:
    """Make an element. Attributes that are words of Python end with an underscore: class_."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()})
    last: Element | None = None
    for one in content:
        if isinstance(one, Element):
            made.append(one)
            last = one
        elif last is None:
            made.text = (made.text or "") + one
        else:
            last.tail = (last.tail or "") + one
    return made


def html(elements: Iterable[Element]) -> str:
    """Write elements as HTML."""
    return "\n".join(tostring(one, encoding="unicode", method="html") for one in elements)


def section(title: str, *content: Element) -> Element:
    """A part of the page, under a heading."""
    return element("section", element("h2", title), *content)


def table(heads: Sequence[str], rows: Iterable[Sequence[Content]], caption: str = "", kind: str = "") -> Element:
    """A table that scrolls by itself where the page is too narrow; the first cell of each row is its head.

    One of the kind "words" is set from the left.
    """
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in heads)))
    named = [element("caption", caption)] if caption else []
    whole = element("table", *named, head, element("tbody", *body))
    return element(
        "div", whole, class_=f"scroll {kind}".strip(), tabindex="0", role="region", aria_label=caption or heads[0]
    )


def pairs(rows: Iterable[tuple[str, Content]]) -> Element:
    """Names and what they are, as a list."""
    return element("dl", *(one for name, what in rows for one in (element("dt", name), element("dd", what))))


def folded(summary: str, *content: Element) -> Element:
    """What is shown when it is asked for."""
    return element("details", element("summary", summary), *content)


def bar(share: float, before: float) -> Element:
    """A bar of a share, with a mark where it was before; both 0 to 1."""
    share, before = (0.0 if math.isnan(one) else min(max(one, 0.0), 1.0) for one in (share, before))
    now = element("rect", class_="now", x="0", y="2", width=f"{100 * share:.1f}", height="8")
    mark = element("rect", class_="before", x=f"{99 * before:.1f}", y="0", width="1", height="12")
    return element("svg", now, mark, class_="bar", viewBox="0 0 100 12", preserveAspectRatio="none", aria_hidden="true")


def short(value: float) -> str:
    """Write a number with up to four digits that matter: 494.3, 0.0063, 1,234,567; a dash for none."""
    if not math.isfinite(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-3 or value == 0 else f"{value:.2g}"


def spoken(name: str) -> str:
    """Write a name of a level in words."""
    return name.replace("_", " ")


def duration(seconds: float) -> str:
    """Write a time as people say it: 45 s, 19 min, 2 h 5 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
