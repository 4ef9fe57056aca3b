"""A map of the house, drawn from its imports: `make map`.

Every room is a box, above all that it imports. Arrows go from who imports to what is imported; one that can be gone
round by others is left out. The same map stands in docs/architecture.md as a table of what each room may import.
"""

import sys
from colorsys import hls_to_rgb
from html import escape
from textwrap import wrap
from typing import NamedTuple

import house
from house_floors import Floors, Way, lay_out

PICTURE, PAGE = house.ROOT / "docs" / "architecture.svg", house.ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: written by `make map` -->", "<!-- end of rooms -->"
GROUND = "ground"
TYPES = "environment.types"  # what the rooms in the middle know of each other's world

BOX, LINE, GAP, MARGIN, PORT = 284, 17, 40, 30, 24  # width of a box, height of a line, between floors, around all, ways
TITLE, SLAB, LEGEND = 82, 104, 50  # heights: above the floors, of the ground, below all
PILL = 22  # height of a row of parts
LETTERS = 38  # of a sentence, in a line of a box

STYLE = """
  .paper { fill: #fbfaf7; }
  .box { fill: #ffffff; stroke: #d5d1c8; }
  .name { fill: #1d2429; font: 600 15px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
  .says { fill: #566069; font: 12px system-ui, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; }
  .part { fill: #f1eee7; }
  .part-name { fill: #3d464d; font: 11px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
  .way { fill: none; stroke: #7d8790; stroke-width: 1.6; }
  .types { stroke-dasharray: 5 4; }
  .tip { fill: #7d8790; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #11161b; }
    .box { fill: #1a2128; stroke: #36414a; }
    .name { fill: #edf1f4; }
    .says { fill: #a9b4bd; }
    .part { fill: #28313a; }
    .part-name { fill: #ced6dc; }
    .way { stroke: #84909b; }
    .tip { fill: #84909b; }
  }
"""


class Pill(NamedTuple):
    """A part of a room: how far to the right it stands, in which row, and how wide it is."""

    name: str
    x: int
    row: int
    width: int


class Box(NamedTuple):
    """A room, or a module that lies at the top."""

    name: str
    says: list[str]  # what it is for, line by line
    parts: list[str]  # the rooms within it, or the modules that it stands for

    @property
    def height(self) -> int:
        return 42 + LINE * len(self.says) + (2 + PILL * (1 + self.pills[-1].row) if self.parts else 0)

    @property
    def pills(self) -> list[Pill]:
        """The parts side by side, in as many rows as they take."""
        pills, x, row = list[Pill](), 0, 0
        for part in self.parts:
            width = 10 + round(6.7 * len(part))
            if x + width > BOX - 36:
                x, row = 0, row + 1
            pills.append(Pill(part, x, row, width))
            x += width + 4
        return pills


def box_of(module: str) -> str:
    """The box that a module lies in."""
    outermost = module.split(".")[0]
    return GROUND if outermost in house.GROUND else outermost


def imported() -> dict[tuple[str, str], set[str]]:
    """Which modules of another box a box imports, by both boxes; that of the package itself holds the version alone."""
    found: dict[tuple[str, str], set[str]] = {}
    for module in filter(None, house.sources()):
        for other in filter(None, house.imports(module)):
            if box_of(other) != box_of(module):
                found.setdefault((box_of(module), box_of(other)), set()).add(other)
    return found


def boxes() -> dict[str, Box]:
    """All boxes but the ground, by name."""
    names = sorted({box_of(module) for module in filter(None, house.sources())} - {GROUND})
    return {name: _box(name) for name in names}


def _box(name: str) -> Box:
    within = [room.partition(".")[2] for room in house.rooms() if room.startswith(f"{name}.")]
    return Box(name, wrap(house.purpose(name).replace("`", ""), LETTERS), within)


# --- the picture -------------------------------------------------------------------------------------------------


def picture() -> str:
    """The map as the text of an SVG file."""
    drawn, known = boxes(), imported()
    floors = lay_out(list(drawn), [pair for pair in known if GROUND not in pair], BOX)
    heights = [max(drawn[name].height for name in row if name in drawn) for row in floors.order]
    tops, y = [0] * len(heights), TITLE
    for number in reversed(range(len(heights))):
        tops[number], y = y, y + heights[number] + GAP
    width, height = floors.width + 2 * MARGIN, y - GAP + SLAB + LEGEND
    spots = _spots(floors, drawn, tops, heights)
    lines = [
        *_opening(width, height),
        *(_arrow(way, floors, spots, known[way.above, way.below]) for way in floors.ways),
    ]
    for number, row in enumerate(floors.order):
        colour = _colour(number / max(len(floors.order) - 1, 1))
        for name in row:
            if name in drawn:
                lines += _drawn(drawn[name], floors.x[name] + MARGIN - BOX // 2, spots[name][0], colour)
                lines += _stand(floors.x[name] + MARGIN + BOX // 2, spots[name][0]) if (name, GROUND) in known else []
    return "\n".join([*lines, *_slab(width, y - GAP), *_legend(height), "</svg>", ""])


def _spots(floors: Floors, drawn: dict[str, Box], tops: list[int], heights: list[int]) -> dict[str, tuple[int, int]]:
    """Where each box and each lane begins and ends, from the top of the picture."""
    spots = {}
    for row, top, height in zip(floors.order, tops, heights, strict=True):
        for name in row:
            own = drawn[name].height if name in drawn else height
            begin = top + (height - own) // 2
            spots[name] = (begin, begin + own)
    return spots


def _opening(width: int, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="title">',
        '<title id="title">The rooms of src/townlet, each above all that it imports</title>',
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 1 L10 5 L0 9 z"/></marker></defs>',
        f'<rect class="paper" width="{width}" height="{height}" rx="14"/>',
        f'<text class="name" x="{MARGIN}" y="38">src/townlet</text>',
        f'<text class="says" x="{MARGIN}" y="57">each room stands above all that it imports; '
        "what is reached through another has no arrow</text>",
    ]


def _arrow(way: Way, floors: Floors, spots: dict[str, tuple[int, int]], modules: set[str]) -> str:
    x, y = MARGIN + _port(way, floors, leaves=True), spots[way.above][1]
    path = [f"M{x} {y}"]
    for stop in way.stops[1:]:
        last = stop == way.below
        to_x = MARGIN + (_port(way, floors, leaves=False) if last else floors.x[stop])
        to_y, middle = spots[stop][0], (y + spots[stop][0]) // 2
        path.append(f"C{x} {middle} {to_x} {middle} {to_x} {to_y}" + ("" if last else f" V{spots[stop][1]}"))
        x, y = to_x, spots[stop][1]
    kind = "way types" if modules == {TYPES} else "way"
    return f'<path class="{kind}" d="{" ".join(path)}" marker-end="url(#tip)"/>'


def _port(way: Way, floors: Floors, leaves: bool) -> int:
    """Where along a box a way leaves or arrives: side by side with the others, in the order of where they come from."""
    box, side = (way.above, 1) if leaves else (way.below, -2)
    others = [one for one in floors.ways if (one.above if leaves else one.below) == box]
    others.sort(key=lambda one: (floors.x[one.stops[side]], one))
    return floors.x[box] + PORT * (2 * others.index(way) - len(others) + 1) // 2


def _drawn(box: Box, left: int, top: int, colour: str) -> list[str]:
    lines = [
        f'<rect class="box" x="{left}" y="{top}" width="{BOX}" height="{box.height}" rx="8"/>',
        f'<rect x="{left}" y="{top + 8}" width="4" height="{box.height - 16}" rx="2" fill="{colour}"/>',
        f'<text class="name" x="{left + 18}" y="{top + 25}">{escape(box.name)}</text>',
    ]
    y = top + 27
    for sentence in box.says:
        y += LINE
        lines.append(f'<text class="says" x="{left + 18}" y="{y}">{escape(sentence)}</text>')
    for part in box.pills:
        x, under = left + 18 + part.x, y + PILL * part.row
        lines.append(f'<rect class="part" x="{x}" y="{under + 8}" width="{part.width}" height="18" rx="9"/>')
        lines.append(f'<text class="part-name" x="{x + 5}" y="{under + 21}">{escape(part.name)}</text>')
    return lines


def _stand(right: int, top: int) -> list[str]:
    return [f'<circle cx="{right - 16}" cy="{top + 19}" r="4" fill="{_colour(0.0)}"/>']


def _slab(width: int, top: int) -> list[str]:
    """The ground, on which many rooms stand: a dot in their boxes takes the place of an arrow."""
    whole, top = width - 2 * MARGIN, top + 22
    lines = [
        f'<rect class="box" x="{MARGIN}" y="{top}" width="{whole}" height="{SLAB - 22}" rx="8"/>',
        f'<rect x="{MARGIN + 8}" y="{top}" width="{whole - 16}" height="4" rx="2" fill="{_colour(0.0)}"/>',
    ]
    for index, module in enumerate(house.GROUND):
        x = MARGIN + 18 + index * (whole - 18) // len(house.GROUND)
        lines.append(f'<text class="name" x="{x}" y="{top + 29}">{escape(module)}</text>')
        for line, sentence in enumerate(wrap(house.purpose(module).split(":")[0].rstrip("."), LETTERS * 3 // 4)):
            lines.append(f'<text class="says" x="{x}" y="{top + 48 + LINE * line}">{escape(sentence)}</text>')
    return lines


def _colour(height: float) -> str:
    """From the green of the ground to the violet of the roof."""
    red, green, blue = hls_to_rgb(0.40 + 0.38 * height, 0.52, 0.48)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _legend(height: int) -> list[str]:
    y, words = height - 24, (("way", "imports"), ("way types", f"knows only {TYPES}"))
    lines, x = [], MARGIN
    for kind, text in words:
        lines.append(f'<path class="{kind}" d="M{x} {y - 4} H{x + 34}" marker-end="url(#tip)"/>')
        lines.append(f'<text class="says" x="{x + 44}" y="{y}">{text}</text>')
        x += 64 + 7 * len(text)
    lines += [*_stand(x + 16, y - 23), f'<text class="says" x="{x + 12}" y="{y}">imports from the ground</text>']
    return lines


# --- the table, and the command ----------------------------------------------------------------------------------


def table() -> str:
    """What each room is for and may import, as a table of the page."""
    rows = [f"| `{room}` | {house.purpose(room)} | {house.permission(room)} |" for room in house.rooms()]
    return "\n".join(["| room | what it is for | may import |", "|---|---|---|", *rows])


def page(text: str) -> str:
    """The text of the page with today's table in its place."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    assert rest and after, f"{PAGE}: expected a table between {BEGIN} and {END}"
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main() -> int:
    """Write the picture and the table; returns the exit code."""
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: {PICTURE}, and the table of the rooms in {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
