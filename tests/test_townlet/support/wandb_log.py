"""What Weights & Biases wrote offline, read without it: a log of LevelDB's format, of records in its own protocol."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER = b":W&B\xe1\xbe\x00"
BLOCK = 32_768  # bytes; no fragment crosses the end of one, and fewer than a fragment's head at its end mean nothing
HEAD = 7  # of a fragment: checksum in four bytes, length in two, kind in one
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def read(path: Path) -> Iterator[Any]:
    """The whole records of a file that ends in .wandb, in their order; the last may still be written."""
    from wandb.proto import wandb_internal_pb2

    for written in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
        record.ParseFromString(written)
        yield record


def _records(content: bytes) -> Iterator[bytes]:
    assert HEADER.startswith(content[:HEAD]), content[:HEAD]
    at, begun = HEAD, b""
    while at + HEAD <= len(content):
        if BLOCK - at % BLOCK < HEAD:
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        assert kind in (WHOLE, FIRST, MIDDLE, LAST), kind
        if at + HEAD + length > len(content):
            return
        begun = (b"" if kind in (WHOLE, FIRST) else begun) + content[at + HEAD : at + HEAD + length]
        at += HEAD + length
        if kind in (WHOLE, LAST):
            yield begun
