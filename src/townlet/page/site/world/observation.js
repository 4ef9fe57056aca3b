// What an agent sees of the town: environment/observation.py for one agent, rounded as there.

import { underfoot } from "townlet/world/rules.js";
import { UnknownError } from "townlet/world/tables.js";

/**
 * What writes each part of an observation, as functions of a state and of the Float32Array that is the part, in the
 * order of `tables.observation`. Throws UnknownError for a part that is not known, or does not lie after the last.
 */
export function makeParts(tables) {
  let end = 0;
  return tables.observation.map(({ name, start, width }) => {
    const refuse = (said) => { throw new UnknownError(`This page does not know ${said}.`); };
    if (!Object.hasOwn(PARTS, name)) refuse(`the observation's part ${name}`);
    const write = PARTS[name](tables, width);
    if (write === null) refuse(`how the observation's ${name} has ${width} numbers`);
    if (start !== end) refuse(`why the observation's ${name} begins at ${start} and not at ${end}`);
    end += width;
    return write;
  });
}

// By the names of the parts, each for the width that it has; null where it does not know that width. Filled with 0 are
// the numbers before any is written.
const PARTS = {
  window: ({ window: size }, width) => width === size ** 2 ? (state, seen) => {
    const reach = Math.floor(size / 2);
    for (const place of state.places) {
      if (place === null) continue;
      const column = place[0] - state.x + reach, row = place[1] - state.y + reach;
      if (column >= 0 && column < size && row >= 0 && row < size) seen[row * size + column] = 1;
    }
  } : null,

  position: (tables, width) => {
    const oneHot = width === tables.width * tables.height, normalised = width === 2;
    if (oneHot === normalised) return null; // neither; or a map of two cells, where both have two numbers
    const [right, below] = spans(tables);
    if (oneHot) return ({ x, y }, seen) => { seen[y * tables.width + x] = 1; };
    return ({ x, y }, seen) => seen.set([x / right, y / below]);
  },

  offsets: (tables, width) => width === 2 * tables.affordances.length ? (state, seen) => {
    const [right, below] = spans(tables), count = state.places.length;
    state.places.forEach((place, affordance) => {
      if (place === null) return;
      seen[affordance] = (place[0] - state.x) / right;
      seen[count + affordance] = (place[1] - state.y) / below;
    });
  } : null,

  meters: ({ names }, width) => width === names.length ? ({ meters }, seen) => seen.set(meters) : null,

  underfoot: (tables, width) => width === tables.affordances.length + 1
    ? (state, seen) => { seen[underfoot(tables, state)] = 1; } : null,

  clock: ({ dayTicks }, width) => width === 2 && dayTicks !== null ? ({ tick }, seen) => {
    const angle = (tick % dayTicks) * ((2 * Math.PI) / dayTicks);
    seen.set([Math.sin(angle), Math.cos(angle)]);
  } : null,

  progress: (tables, width) => width === 1 ? (state, seen) => {
    seen[0] = state.progress / (tables.affordances[underfoot(tables, state)]?.ticks ?? 1);
  } : null,

  age: ({ maxSteps }, width) => width === 1 ? ({ tick }, seen) => { seen[0] = tick / maxSteps; } : null,
};

/** Steps from one end of the map to the other, to the right and down, at least 1. */
function spans({ width, height }) {
  return [Math.max(width - 1, 1), Math.max(height - 1, 1)];
}
