"""`python -m townlet.bench`: one word for each benchmark."""

import sys
from collections.abc import Sequence

from townlet.bench import memory
from townlet.command_line import DONE, WRONG_USE

USAGE = """usage: townlet bench BENCHMARK ... (or python -m townlet.bench)

  memory     public tasks of memory, beside a control and a peer

townlet bench BENCHMARK --help says more."""

BENCHMARKS = {"memory": memory.main}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in ("-h", "--help"):
        print(USAGE)
        return DONE
    if not words or words[0] not in BENCHMARKS:
        got = repr(words[0]) if words else "nothing"
        print(f"townlet.bench: expected one of {', '.join(BENCHMARKS)}, got {got} (see --help)", file=sys.stderr)
        return WRONG_USE
    return BENCHMARKS[words[0]](words[1:])


if __name__ == "__main__":
    sys.exit(main())
