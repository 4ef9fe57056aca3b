// A whole replay made by hand, as a file has it: a life of two steps in the made-up town.

import { deflateSync } from "node:zlib";

import { FORMAT } from "townlet/format/replay.js";
import { E, NOTHING, REST, header } from "./town.mjs";

// By column, a row a component: whole numbers, or [low, scale] and what is stored.
const WHOLE = {
  tick: [[0, 1, 2]], position: [[1, 2, 2], [1, 1, 1]], progress: [[0, 0, 0]], meters: new Array(4).fill([255, 160, 96]),
  allowed: [[47, 63, 47]], action: [[E, REST]], completed: [[NOTHING, NOTHING]], reward: [[0, 4], [0, 0]],
  q: new Array(6).fill([1, 2]),
};
const SCALED = { meters: [0, 1 / 255], reward: [-1, 0.5], q: [0, 1] };

/** Its header and its body; `columns` are those of a file besides. */
export function wholeReplay(columns = {}) {
  const { world } = header(), rows = [], parts = [];
  world.affordances = world.affordances.map((one) => ({ ...one, whole_cost: one.cost, whole_effect: one.effect }));
  let end = 0;
  const add = (bytes) => {
    parts.push(bytes, Buffer.alloc(-bytes.length & 3));
    end += bytes.length + (-bytes.length & 3);
  };
  for (const [name, numbers] of Object.entries({ ...WHOLE, ...columns })) {
    const [low, scale] = SCALED[name]?.map((part) => numbers.map(() => part)) ?? [null, null];
    rows.push({ name, type: "uint8", shape: [1, numbers.length, numbers[0].length], every: 1, offset: end, low, scale });
    add(Buffer.from(numbers.flat()));
  }
  const weights = [{ name: "head", shape: [1], offset: end }];
  add(Buffer.from([0, 0, 128, 63]));
  return { body: Buffer.concat(parts), header: apart({
    format: FORMAT,
    origin: { run: null, run_id: null, checkpoint: null, learned: null, env_steps: 0, seed: 1, level_seed: 1,
      maps: "evaluation", versions: { townlet: "1" } },
    level: { id: "made", name: "made_up", description: "A town.", yaml: "", yardsticks: { random: 2 } },
    world,
    network: { kind: "feed_forward" },
    memory: [],
    steps: 2,
    lives: [{ agent: 3, map: 0, places: [[0, 0], [2, 1]], length: 2, ended: "cut", cause: null, total_reward: 0 }],
    planner: null,
    columns: rows,
    weights,
  }) };
}

/** The bytes of the file that a header and a body make, an ArrayBuffer. */
export function fileOf({ header: said, body }) {
  const text = Buffer.from(JSON.stringify(said)), padded = Buffer.concat([text, Buffer.alloc(-text.length & 3, " ")]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(padded.length);
  return new Uint8Array(deflateSync(Buffer.concat([length, padded, body]))).buffer;
}

/** A copy in which nothing is the same object twice. */
export function apart(value) {
  return JSON.parse(JSON.stringify(value));
}
