// All that a network takes in at a step: the observation, the previous action, and directions where they are taken.

import { NetworkError } from "townlet/network/weights.js";

export const DIRECTIONS = 3; // numbers for a place
const MOST = 64; // cells of a map along an axis

/** Where the parts of an observation lie, and what else of the world a network is made for. */
export class Layout {
  constructor(world) {
    this.actions = world.actions.length;
    this.window = world.window; // its side, null without one
    this.columns = world.width;
    this.rows = world.height;
    this.parts = new Map(world.observation.map(({ name, start, width }) => [name, { start, width }]));
    this.width = Math.max(0, ...world.observation.map(({ start, width }) => start + width));
    if (!(this.columns <= MOST && this.rows <= MOST && this.width < 2 ** 16)) {
      throw new NetworkError(`a map of more than ${MOST} x ${MOST} cells`);
    }
  }

  /** Where a part lies, {start, width}. Throws NetworkError where none of that name, or width, is observed. */
  part(name, width = null) {
    const part = this.parts.get(name);
    if (part === undefined || (width !== null && part.width !== width)) {
      const expected = width === null ? "" : ` of ${width} numbers`;
      throw new NetworkError(`a network that reads ${name}${expected}, which is not observed`);
    }
    return part;
  }
}

/** The row of what comes in: `row` [width], of which the first `observed` are the observation. */
export class Inputs {
  constructor(layout, previousAction, directions) {
    this.observed = layout.width;
    this.actions = previousAction ? layout.actions : 0; // numbers of the previous action, from `observed` on
    this.offsets = directions ? layout.part("offsets") : null;
    this.places = directions ? this.offsets.width / 2 : 0;
    this.width = this.observed + this.actions + DIRECTIONS * this.places;
    this.row = new Float32Array(this.width);
  }

  /** Lay down an observation and the index of the previous action, null or the number of actions for none. */
  take(observation, previousAction) {
    const { row, observed, actions, offsets, places } = this;
    if (observation.length !== observed) {
      throw new RangeError(`observation: expected ${observed} numbers, got ${observation.length}`);
    }
    row.set(observation);
    for (let action = 0; action < actions; action++) row[observed + action] = action === previousAction ? 1 : 0;
    for (let place = 0; place < places; place++) {
      const right = row[offsets.start + place], below = row[offsets.start + places + place];
      pointTo(right, below, row, observed + actions + place, places);
    }
  }
}

/** Write which way a place lies: the sign to the right, that below, and both distances together, `places` apart. */
export function pointTo(right, below, into, to, places) {
  into[to] = Math.sign(right);
  into[to + places] = Math.sign(below);
  into[to + 2 * places] = Math.abs(right) + Math.abs(below);
}
