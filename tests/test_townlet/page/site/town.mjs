// A small made-up town for the tests of the page's world, as a header has it: 4 x 3 cells, a Well and a Mill that takes
// three ticks, and four meters: water (0), bread (1), coin (2) and joy (3).

const FREE = [0, 0, 0, 0];
const WELL = { name: "Well", ticks: 1, hours: null, cost: FREE, effect: [0.5, 0, 0, 0], bonus: FREE };
const MILL = {
  name: "Mill", ticks: 3, hours: [6, 2], cost: [0, 0, 0.125, 0], effect: [0, 0.25, 0, 0], bonus: [0, 0.125, 0, 0],
};
const NO_REWARD = { alive: 0, death: 0, milestones: [], wellbeing: {}, interaction: {}, potential: null, gamma: 1 };

/** What `World` takes; `changes` replace keys of its `world`. */
export function header(changes = {}) {
  return { world: {
    width: 4,
    height: 3,
    max_steps: 100,
    day_ticks: 8,
    empty: 1e-6,
    meters: [
      { name: "water", initial: 1, passive: -0.25, move: -0.125, lethal: true },
      { name: "bread", initial: 1, passive: 0, move: 0, lethal: true },
      { name: "coin", initial: 0.5, passive: 0, move: 0, lethal: false },
      { name: "joy", initial: 1, passive: 0, move: 0, lethal: false },
    ],
    drains: [],
    threshold: 0,
    cascades: [],
    affordances: [WELL, MILL],
    actions: [
      { name: "N", dx: 0, dy: -1, interacts: false },
      { name: "S", dx: 0, dy: 1, interacts: false },
      { name: "W", dx: -1, dy: 0, interacts: false },
      { name: "E", dx: 1, dy: 0, interacts: false },
      { name: "USE", dx: 0, dy: 0, interacts: true },
      { name: "REST", dx: 0, dy: 0, interacts: false },
    ],
    reward: NO_REWARD,
    terms: ["alive", "death"],
    window: null,
    observation: [{ name: "meters", start: 0, width: 4 }],
    ...changes,
  } };
}

/** A header that pays by some terms, besides being alive and dying. */
export function paying(reward, ...terms) {
  return header({ reward: { ...NO_REWARD, ...reward }, terms: ["alive", "death", ...terms] });
}

/** A header whose agent sees parts, [name, width] each; `changes` as in `header`. */
export function seeing(parts, changes = {}) {
  let end = 0;
  const observation = parts.map(([name, width]) => ({ name, start: (end += width) - width, width }));
  return header({ observation, ...changes });
}

export const [N, S, W, E, USE, REST] = [0, 1, 2, 3, 4, 5];
export const [WATER, BREAD, COIN, JOY] = [0, 1, 2, 3];
export const NOTHING = 2; // "no affordance" among two

/** A state at the start of a day, all meters full, the Well at 0, 0 and the Mill, open, at 2, 1; the agent at 1, 1. */
export function at(changes = {}) {
  const meters = Float32Array.of(1, 1, 1, 1);
  return { x: 1, y: 1, meters, progress: 0, tick: 8, places: [[0, 0], [2, 1]], ...changes };
}
