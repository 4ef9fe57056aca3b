// Where a replay comes from, in words.

import assert from "node:assert/strict";
import test from "node:test";

import { told } from "townlet/about.js";

const LEVEL = { id: "2", name: "town", description: "A town.", yardsticks: { random: 101, planner: 500 } };
const ORIGIN = {
  run: "mine", run_id: "a1", checkpoint: "step_5", learned: null, env_steps: 12345, seed: 7, level_seed: 3,
  maps: "evaluation", versions: { townlet: "0.1.0", torch: "2.13.0" },
};
const LIFE = { agent: 4, map: 9, total_reward: 1.234 };

test("a replay says what was played, by whom, where, and by what it was recorded", () => {
  const rows = told({ level: LEVEL, origin: ORIGIN, lives: [LIFE], steps: 20, world: { max_steps: 500 } }, LIFE);
  assert.deepEqual(Object.fromEntries(rows), {
    level: "2, town: A town.",
    "known lives": "random 101, planner 500, of 500 steps",
    agent: "mine, step_5 (run a1)",
    learned: "12,345 steps in level 2",
    maps: "evaluation maps, of a pool by seed 3; whose life where, by seed 7",
    "this life": "agent 4, map 9, reward 1.23 in all",
    recorded: "1 lives of at most 20 steps, by Townlet 0.1.0, Torch 2.13.0",
  });
});

test("what is not known is left out", () => {
  const origin = { ...ORIGIN, run: null, run_id: null, checkpoint: null };
  const rows = told({ level: { ...LEVEL, yardsticks: {} }, origin, lives: [LIFE], steps: 20, world: {} }, LIFE);
  assert.deepEqual(rows.map(([name]) => name), ["level", "learned", "maps", "this life", "recorded"]);
});
