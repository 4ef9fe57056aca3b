"""Keys as terminals send them."""

from townlet.screen.keys import DOWN, LEFT, RIGHT, UP, keys_in


def test_what_a_terminal_sent_is_parted_into_keys():
    assert keys_in("aB \x1b[A\x1bOB\x1b[1;5C\n\x04") == ["a", "B", " ", UP, DOWN, "\x1b[1;5C", "\n", "\x04"]
    assert keys_in("\x1bOC\x1bOD\x1b") == [RIGHT, LEFT, "\x1b"] and keys_in("") == []
