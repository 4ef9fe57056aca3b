// What the parts of a replay must be to each other, as page/checks.py has it: so no view meets what it cannot show.

/** By name: {per: "frame", "step" or "planned step"; of: what its components are; needs: what it is not there without}. */
export const COLUMNS = {
  tick: { per: "frame", of: "one" },
  position: { per: "frame", of: "axes" },
  progress: { per: "frame", of: "one" },
  meters: { per: "frame", of: "meters" },
  allowed: { per: "frame", of: "one" },
  action: { per: "step", of: "one" },
  completed: { per: "step", of: "one" },
  reward: { per: "step", of: "terms" },
  q: { per: "step", of: "actions" },
  q_blank: { per: "step", of: "actions", needs: "memory" },
  memory: { per: "frame", of: "units", needs: "memory" },
  planned: { per: "planned step", of: "one", needs: "a planner" },
};

const MOST_CELLS = 64, MOST_ACTIONS = 31; // of a side of the map; bits of a mask

// Of columns that are indices: what they stay below.
const BELOW = {
  action: ({ actions }) => actions.length,
  completed: ({ affordances }) => affordances.length + 1,
  planned: ({ actions }) => actions.length,
};

/** What is wrong between the parts of a replay, a part of a sentence; null for nothing. */
export function mistakeOf({ header, columns }) {
  const { world, lives, planner } = header;
  return inWorld(world) ?? inLives(world, lives, planner) ?? inColumns(header, columns);
}

function inWorld({ width, height, meters, drains, cascades, affordances, actions }) {
  const within = (number, least, most) => number >= least && number <= most;
  if (!within(width, 1, MOST_CELLS) || !within(height, 1, MOST_CELLS)) return `its map has ${width}x${height} cells`;
  if (meters.length === 0) return "it has no meters";
  if (!within(actions.length, 1, MOST_ACTIONS)) return `it has ${actions.length} actions`;
  const named = [...drains.flatMap(({ meter, by }) => [meter, by ?? meter]),
    ...cascades.flatMap(({ pulls }) => pulls.flatMap(({ source, target }) => [source, target]))];
  const unknown = named.find((meter) => !(meter in meters));
  if (unknown !== undefined) return `its rules name meter ${unknown}, of ${meters.length}`;
  const rows = affordances.flatMap((one) => [one.cost, one.effect, one.bonus, one.whole_cost, one.whole_effect]);
  return rows.every((row) => row.length === meters.length) ? null : `its places do not say of ${meters.length} meters what they do`;
}

function inLives({ meters, affordances }, lives, planner) {
  if (planner !== null && planner.length !== lives.length) return `it has ${planner.length} lives of a planner for ${lives.length}`;
  for (const { length, ended, cause } of [...lives, ...(planner ?? [])]) {
    if (length < 1) return `one of its lives has ${length} steps`;
    if ((ended === "death") !== (cause !== null) || (cause !== null && !(cause in meters))) return "one of its lives ends by what it does not name";
  }
  return lives.every(({ places }) => places.length === affordances.length) ? null
    : `one of its lives does not say where ${affordances.length} places stand`;
}

function inColumns(header, columns) {
  const { world, memory, lives, planner } = header, units = memory.reduce((sum, part) => sum + part.units, 0);
  const { meters, actions, terms } = world;
  const counts = { one: 1, axes: 2, meters: meters.length, actions: actions.length, terms: terms.length, units };
  const longest = (of) => Math.max(...of.map(({ length }) => length));
  const there = { memory: units > 0, "a planner": planner !== null };
  for (const [name, { per, of, needs }] of Object.entries(COLUMNS)) {
    if (needs !== undefined && !there[needs]) continue;
    const column = columns.get(name);
    if (column === undefined) return `it has no column ${name}`;
    const last = longest(per === "planned step" ? planner : lives) + (per === "frame" ? 1 : 0);
    const shape = [lives.length, counts[of], Math.ceil(last / column.every)].join("x");
    if (shape !== column.shape.join("x")) return `its column ${name} should have ${shape} numbers`;
    const wrong = inNumbers(column, counts[of], BELOW[name]?.(world) ?? Infinity);
    if (wrong !== null) return `its column ${name} ${wrong}`;
  }
  return null;
}

function inNumbers({ low, scale, stored }, count, below) {
  const whole = low === null && scale === null;
  if (!whole && (low?.length !== count || scale?.length !== count)) return `is not scaled for ${count} components`;
  return below < Infinity && stored.some((one) => one >= below) ? "names what is not there" : null;
}
