// A memory of the ground: where an agent has not looked yet, and what it has seen from afar alone.

import { DIRECTIONS, pointTo } from "townlet/network/inputs.js";

const UNSEEN = 0, EMPTY = 1, UNKNOWN = 2, KNOWN = 3; // what is known of a cell: the more, the higher

/** The ways to the nearest place that was seen and never stood on, and to the nearest ground never seen. */
export class Frontier {
  learned = false;
  width = 2 * (1 + DIRECTIONS);

  constructor(layout) {
    this.side = layout.window;
    this.window = layout.part("window", this.side * this.side);
    this.place = layout.part("position", 2);
    this.columns = layout.columns;
    this.rows = layout.rows;
    this.across = Math.max(layout.columns - 1, 1); // what normalised positions are in shares of
    this.down = Math.max(layout.rows - 1, 1);
    this.sizes = [layout.columns * layout.rows];
  }

  step(row, [before], [held], into, to) {
    const x = Math.round(row[this.place.start] * this.across), y = Math.round(row[this.place.start + 1] * this.down);
    held.set(before);
    this.#look(row, held, x, y);
    this.#pointToNearest(held, UNKNOWN, x, y, into, to);
    this.#pointToNearest(held, UNSEEN, x, y, into, to + 1);
  }

  #look(row, held, x, y) {
    const { side, window, columns, rows } = this, reach = (side - 1) / 2, middle = (side * side - 1) / 2;
    for (let cell = 0; cell < side * side; cell++) {
      const column = x + (cell % side) - reach, line = y + Math.floor(cell / side) - reach;
      if (column < 0 || column >= columns || line < 0 || line >= rows) continue;
      const worth = (cell === middle ? KNOWN : UNKNOWN) - EMPTY; // what a place there counts more than empty ground
      const shown = EMPTY + row[window.start + cell] * worth;
      if (shown > held[line * columns + column]) held[line * columns + column] = shown;
    }
  }

  /** Both ways lie side by side: whether there are such, then each of their directions. Of several it is the first. */
  #pointToNearest(held, what, x, y, into, to) {
    const { columns } = this;
    let nearest = -1, least = Infinity;
    for (let cell = 0; cell < held.length; cell++) {
      const distance = Math.abs((cell % columns) - x) + Math.abs(Math.floor(cell / columns) - y);
      if (held[cell] === what && distance < least) [nearest, least] = [cell, distance];
    }
    into[to] = nearest < 0 ? 0 : 1;
    const right = nearest < 0 ? 0 : ((nearest % columns) - x) / this.across;
    const below = nearest < 0 ? 0 : (Math.floor(nearest / columns) - y) / this.down;
    pointTo(right, below, into, to + 2, 2);
  }
}
