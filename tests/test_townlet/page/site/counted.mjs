// A life of four steps in the made-up town, and a network made by hand that lives it: it counts its steps, by ones and
// by tens, goes east in the first of them, and rests after that.

import { World } from "townlet/world/world.js";
import { E, NOTHING, REST, paying } from "./town.mjs";

const MEMORY = [{ name: "ones", units: 1 }, { name: "tens", units: 1 }];

export const network = {
  parts: MEMORY.map(({ name, units }) => ({ name, size: units })),
  initialMemory: () => [Float32Array.of(0), Float32Array.of(0)],
  forget: (memory, part = null) =>
    memory.map((row, index) => (part === null || part === index ? Float32Array.of(0) : row)),
  flatten: ([ones, tens]) => Float32Array.of(...ones, ...tens),
  q: (seen, previous, [ones, tens]) => ({
    q: values(ones[0]), memory: [Float32Array.of(ones[0] + 1), Float32Array.of(tens[0] + 10)],
  }),
};

export const mind = { world: new World(paying({ alive: 1, death: -3 })), network };

/** What it says of each action after so many steps. */
function values(steps) {
  const q = new Float32Array(6);
  q[E] = steps === 0 ? 2 : 0;
  q[REST] = 1;
  return q;
}

/** All that is recorded of the life: water falls by 3/8 with the move, and by 1/4 in each tick after. */
export const ENDED = {
  tick: [[0], [1], [2], [3], [4]],
  position: [[1, 1], [2, 1], [2, 1], [2, 1], [2, 1]],
  progress: [[0], [0], [0], [0], [0]],
  meters: [[1, 1, 0.5, 1], [0.625, 1, 0.5, 1], [0.375, 1, 0.5, 1], [0.125, 1, 0.5, 1], [0, 1, 0.5, 1]],
  allowed: [[47], [63], [47], [47], [47]], // the Mill is open until 2: its use is bit 4
  memory: [[0, 0], [1, 10], [2, 20], [3, 30], [4, 40]],
  action: [[E], [REST], [REST], [REST]],
  completed: [[NOTHING], [NOTHING], [NOTHING], [NOTHING]],
  reward: [[1, 0], [1, 0], [1, 0], [0, -3]],
  q: [[0, 0, 0, 2, 0, 1], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1]],
  q_blank: new Array(4).fill([0, 0, 0, 2, 0, 1]),
};

/** The life as a file has it, cut off where `life` says so. */
export function recorded(life = {}) {
  const places = [[0, 0], [2, 1]];
  const whole = { agent: 3, map: 0, places, length: 4, ended: "death", cause: 0, total_reward: 0, ...life };
  const { world } = paying({ alive: 1, death: -3 }), none = [0, 0, 0, 0];
  world.affordances = world.affordances.map((one) => ({ ...one, whole_cost: none, whole_effect: one.effect }));
  return {
    kind: "recorded", label: "agent 3", life: whole, frames: whole.length + 1, changes: [],
    header: { world, memory: MEMORY, network: {}, lives: [whole] },
    has: (name) => Object.hasOwn(ENDED, name),
    at: (name, time) => ENDED[name]?.[time] ?? null,
    value: (name, time, component = 0) => ENDED[name]?.[time]?.[component] ?? null,
  };
}
