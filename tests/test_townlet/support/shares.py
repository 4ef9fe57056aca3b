"""Shares of a population in threads of one process, with pipes between them as a crew has them to its workers."""

import os
import threading
from functools import partial

import torch

from townlet.shares.share import ALONE, Share
from townlet.shares.sums import Link, shared_memory


def together(*parts):
    """Prepare each part with a share of its own, then do all in threads that meet; returns what each returned."""
    shares = [Share(rank, len(parts)) for rank in range(len(parts))]
    prepared = [part(share) for share, part in zip(shares, parts, strict=True)]  # not at once: there is one random seed
    found, raised = {}, []
    with shared_memory(len(parts)) as memory:
        for share, links in zip(shares, linked(len(parts)), strict=True):
            share.meet(links, memory)

    def run(share, do):
        try:
            found[share.rank] = do()
        except BaseException as error:
            raised.append(error)
        finally:
            share.part()

    threads = [threading.Thread(target=run, args=pair) for pair in zip(shares, prepared, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if raised:
        raise raised[0]
    return [found[rank] for rank in range(len(parts))]


def learned_in_parts_and_whole(learner_of, batch):
    """What each of two shares tells of an update from half of the windows, and what one learner tells of all."""

    def learned(rows, share):
        learner, mine = learner_of(share), batch.rows(rows)
        return lambda: learner.update(mine).metrics

    every = torch.arange(len(batch.actions))
    return together(*(partial(learned, rows) for rows in every.chunk(2))), learned(every, ALONE)()


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
