"""The page can be read, in light and in dark: contrasts as WCAG 2.2 asks for them, by its own formula."""

import re

import pytest

from townlet.page.html import SITE

STYLE = (SITE / "style.css").read_text()

TEXT = (  # what is written on what: at least 4.5 to 1
    ("ink", "paper"), ("ink", "card"), ("ink", "soft"), ("ink", "trough"), ("quiet", "paper"), ("quiet", "card"),
    ("quiet", "soft"), ("accent", "card"), ("accent", "paper"), ("on-accent", "accent"), ("bad", "card"),
    ("card", "ink"), ("letters", "wall"), ("letters", "lamp"), ("name", "ground"), ("name", "ground-other"),
    ("ghost", "fog-never"),
)  # fmt: skip
SHAPES = (  # what is drawn on what: at least 3 to 1
    *((f"meter-{meter}", ground) for meter in range(8) for ground in ("card", "trough")),
    *((f"mark{kind}", "card") for kind in ("", "-end", "-memory", "-surprise")), ("bad", "card"),
)  # fmt: skip


def colours(theme):
    """The colours of a theme, by name: dark replaces what differs."""
    parts = re.findall(r":root[^{]*\{\s*((?:color-scheme: [\w ]+;)?\s*--[^}]*)\}", STYLE)
    light, dark = (dict(re.findall(r"--([\w-]+): ([^;]+);", part)) for part in parts)
    return light | (dark if theme == "dark" else {})


def luminance(colour):
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_written_and_drawn_stands_out(theme):
    known = colours(theme)
    faint = {
        f"{what} on {ground}": round(contrast(known[what], known[ground]), 2)
        for pairs, least in ((TEXT, 4.5), (SHAPES, 3.0))
        for what, ground in pairs
        if contrast(known[what], known[ground]) < least
    }
    assert faint == {}


def test_contrast_is_that_of_the_formula():
    assert contrast("#000000", "#ffffff") == 21.0 and contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_motion_is_for_those_alone_who_do_not_mind_it():
    moving = re.sub(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", "", STYLE, flags=re.DOTALL)
    assert "transition" in STYLE and "transition" not in moving and "animation" not in moving
