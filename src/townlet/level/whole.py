"""Whole numbers as people write them, in a level and on the command line: 10000, 10_000, 1e6, 2M or 1.5k."""

import re
from fractions import Fraction

LETTERS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9}
MULTIPLIED = re.compile(
    r"(?P<number>[-+]?[0-9](_?[0-9]){0,99}(\.[0-9]{1,99})?)(e\+?(?P<exponent>[0-9]{1,2})|(?P<letter>[kmgb]))",
    re.IGNORECASE,
)


def multiplied(text: str) -> int | None:
    """Return the whole number that is written with an exponent or a letter for one, None where there is none."""
    written = MULTIPLIED.fullmatch(text)
    if written is None:
        return None
    times = 10 ** int(written["exponent"] or 0) * LETTERS[(written["letter"] or "").upper()]
    value = Fraction(written["number"]) * times
    return int(value) if value.denominator == 1 else None


def as_whole(value: object) -> object:
    """Return the whole number that a value of YAML stands for, 2M or 1e6; anything else as it is, for others to judge.

    A number with an exponent is a float to YAML.
    """
    if isinstance(value, str):
        number = multiplied(value)
        return value if number is None else number
    return int(value) if isinstance(value, float) and value.is_integer() else value
