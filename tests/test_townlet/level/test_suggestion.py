"""What is said to be meant by a word that is none."""

import pytest

from townlet.level.suggestion import meant, suggestion

KNOWN = ["Bed", "LSTM", "full_observability", "partial_observability", "CartPole-v0", "CartPole-v1"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Bde", "Bed"),
        ("bed", "Bed"),
        ("lstm", "LSTM"),
        ("partial", "partial_observability"),  # its beginning
        ("CARTPOLE", "CartPole-v1"),
        ("pa", None),  # too little to begin with
        ("ability", None),
        ("", None),
    ],
)
def test_what_is_close_to_a_word_or_begins_with_it_is_meant_whatever_its_capitals(word, expected):
    assert meant(word, KNOWN) == expected
    assert suggestion(word, KNOWN) == (f"; did you mean {expected!r}?" if expected else "")
