"""Pipes between the shares of a population, as a crew has them to its workers."""

import os

from townlet.shares.sums import Link


def linked(size):
    """The links of each of `size` shares, as `Sums` wants them."""
    first, others = [], []
    for _ in range(size - 1):
        (heard, told_there), (heard_there, told) = _pipe(), _pipe()
        first.append(Link(heard, told))
        others.append([Link(heard_there, told_there)])
    return [first, *others]


def _pipe():
    read, write = os.pipe()
    return open(read, "rb"), open(write, "wb")
