// The planner's life in the page: by the actions that a file holds, and only where it ends as it did.

import assert from "node:assert/strict";
import test from "node:test";

import { told } from "townlet/bar.js";
import { hasPlanner, plannedBeside } from "townlet/track/planned.js";
import { ENDED, mind, recorded } from "./counted.mjs";
import { E, REST } from "./town.mjs";

/** A recorded life whose planner goes east and rests, so that it dies of water in its fourth step; `end` is as told. */
function beside(end = {}, actions = [E, REST, REST, REST]) {
  const track = recorded(), stored = Uint8Array.from(actions);
  const planned = { lives: 1, components: 1, times: actions.length, every: 1, low: null, stored };
  track.header.planner = [{ length: actions.length, ended: "death", cause: 0, ...end }];
  return Object.assign(track, { index: 0, replay: { header: track.header, columns: new Map([["planned", planned]]) } });
}

test("its life is what its actions make of the start, frame by frame", () => {
  const life = plannedBeside(beside(), mind.world);
  for (const column of ["position", "meters", "tick", "allowed", "reward", "action"]) {
    assert.deepEqual(ENDED[column].map((_, time) => life.at(column, time)), ENDED[column], column);
  }
  assert.deepEqual([life.growing, life.has("q"), life.has("memory")], [false, false, false]);
  assert.deepEqual([life.label, told(life)], ["a script that knows the whole map", "died of water, 4 steps"]);
});

test("a life that was not planned to its end is as long as was recorded", () => {
  const life = plannedBeside(beside({ ended: "cut", cause: null }, [E, REST]), mind.world);
  assert.deepEqual([life.frames, told(life)], [3, "2 steps recorded"]);
});

test("where it ends otherwise than it did there is none", () => {
  for (const end of [{ ended: "limit", cause: null }, { cause: 1 }, { length: 3 }]) {
    assert.equal(plannedBeside(beside(end), mind.world), null);
  }
});

test("a file of before there were planners has none", () => {
  assert.deepEqual([hasPlanner(recorded()), hasPlanner(beside())], [false, true]);
});
