"""`townlet schema`: the JSON Schema of level files, for editors, or that of replays, for pages."""

from collections.abc import Sequence

from townlet.level import schema as of_levels
from townlet.page import schema as of_replays
from townlet.screen.command_line import DONE, Parser, cannot_write, named_path


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a JSON Schema: of level files, for editors, or of replays."""
    parser = Parser(prog="townlet schema", description="Print the JSON Schema of level files, for editors.")
    parser.add_argument("--replay", action="store_true", help="that of a replay's header in its place")
    parser.add_argument("--tables", action="store_true", help="with --replay: its tables in Markdown in place of it")
    parser.add_argument("--out", type=named_path, metavar="FILE", help="write it there")
    options = parser.parse_args(arguments)
    if options.tables and not options.replay:
        parser.error("--tables: expected --replay beside it")
    text = of_levels.schema_text()
    if options.replay:
        text = of_replays.tables_text() if options.tables else of_replays.schema_text()
    if options.out is None:
        print(text, end="")
        return DONE
    try:
        options.out.write_text(text, encoding="utf-8")
    except OSError as error:
        return cannot_write("townlet schema", error)
    use = "" if options.replay else f"; a line for each level file: # yaml-language-server: $schema={options.out}"
    print(f"written into {options.out}{use}")
    return DONE
