"""What was meant by a word that is none: told beside every mistake in a word, a flag, an id or a key."""

import difflib
from collections.abc import Iterable

LEAST = 3  # letters of a word that is taken for the beginning of another


def suggestion(word: str, choices: Iterable[str]) -> str:
    """Return "; did you mean ...?" where one of the choices is meant by the word, else nothing."""
    close = meant(word, choices)
    return f"; did you mean {close!r}?" if close else ""


def meant(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that is closest to a word, or begins with it; None where there is none.

    Small letters and capitals are alike.
    """
    known: dict[str, str] = {}
    for choice in choices:
        known.setdefault(choice.lower(), choice)
    typed = word.lower()
    close = difflib.get_close_matches(typed, known, n=1)
    close += [name for name in known if len(typed) >= LEAST and name.startswith(typed)]
    return known[close[0]] if close else None
