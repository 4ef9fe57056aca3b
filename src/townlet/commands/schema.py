"""`townlet schema`: the JSON Schema of level files, for editors."""

from collections.abc import Sequence

from townlet.level.schema import schema_text
from townlet.screen.command_line import DONE, Parser, cannot_write, named_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the JSON Schema of level files, for editors."""
    parser = Parser(prog="townlet schema", description="Print the JSON Schema of level files, for editors.")
    parser.add_argument("--out", type=named_path, metavar="FILE", help="write it there")
    options = parser.parse_args(arguments)
    if options.out is None:
        print(schema_text(), end="")
        return DONE
    try:
        options.out.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        return cannot_write("townlet schema", error)
    print(f"written into {options.out}; a line for each level file: # yaml-language-server: $schema={options.out}")
    return DONE
