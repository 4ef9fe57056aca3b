"""What was meant by a word that is none: told beside every mistake in a word, a flag, an id or a key."""

import difflib
from collections.abc import Iterable


def suggestion(word: str, choices: Iterable[str]) -> str:
    """Return "; did you mean ...?" where one of the choices is close to the word, else nothing."""
    close = difflib.get_close_matches(word, list(choices), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
