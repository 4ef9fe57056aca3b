// An associative memory of the ground: what was seen is held where it was seen, and read as it lies around here.

import { DeltaRule } from "townlet/network/delta.js";

/** Keys that are the cells of the map, and values that are read as means over rectangles around the agent. */
export class Ground extends DeltaRule {
  constructor(weights, name, layout, inputs, { values, whole }) {
    const { columns, rows } = layout;
    super(weights, name, layout, inputs, { keys: columns * rows, keep: 1, whole }, values, values, false);
    this.columns = columns;
    this.rows = rows;
    this.place = layout.part("position", 2);
    this.across = bands(columns);
    this.down = bands(rows);
    this.width = this.across.length * this.down.length * values;
  }

  /** The cell that the agent is on. */
  pointAt(row) {
    const { columns, rows, place, key } = this;
    this.x = Math.round(row[place.start] * Math.max(columns - 1, 0));
    this.y = Math.round(row[place.start + 1] * Math.max(rows - 1, 0));
    key.fill(0);
    key[this.y * columns + this.x] = 1;
  }

  show() {
    this.value.set(this.row.subarray(0, this.values));
  }

  /** All rectangles of the first value before those of the others; of the first, what is missing. */
  read(held, into, to) {
    for (let index = 0, at = to; index < this.values; index++) {
      for (const below of this.down) {
        for (const right of this.across) into[at++] = this.#mean(held, index, below, right);
      }
    }
  }

  #mean(held, index, below, right) {
    const { columns, rows, values, x, y } = this;
    let sum = 0;
    for (let line = Math.max(y + below.first, 0); line <= Math.min(y + below.last, rows - 1); line++) {
      for (let column = Math.max(x + right.first, 0); column <= Math.min(x + right.last, columns - 1); column++) {
        const known = held[(line * columns + column) * values + index];
        sum += index === 0 ? 1 - known : known;
      }
    }
    return sum / ((below.last - below.first + 1) * (right.last - right.first + 1));
  }
}

/** How far off the cells of each band lie, from the farthest on one side to the farthest on the other. */
function bands(side) {
  const ends = [{ first: 0, last: 0 }, { first: 1, last: 1 }, { first: 2, last: 2 }];
  for (let { last } = ends.at(-1); last < side - 1; { last } = ends.at(-1)) {
    ends.push({ first: last + 1, last: 2 * last + 1 });
  }
  const before = ends.slice(1).reverse().map(({ first, last }) => ({ first: -last, last: -first }));
  return [...before, ...ends];
}
