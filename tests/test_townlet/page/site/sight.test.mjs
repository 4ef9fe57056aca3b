// What an agent is said to see and to have seen. The window is three cells wide, on a map of five by three.

import assert from "node:assert/strict";
import test from "node:test";

import { holdingInWords } from "townlet/explain/holding.js";
import { held, remembered, sightsOf, visible } from "townlet/explain/sight.js";
import { HandTrack, smallWorld, walk } from "./hand_made.mjs";

const INSIGHTFUL = { memory: [{ name: "hidden", units: 2 }] };
/** From the farm in the west to the east, and in sight of the fair at the end. */
const eastwards = (options = INSIGHTFUL) => new HandTrack({ position: walk(0, 1, 2, 3) }, options);

test("cells in view are those of the window that lie on the map", () => {
  assert.deepEqual([...visible(eastwards(), 0)], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0]);
  assert.deepEqual([...visible(eastwards(), 2)], [0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0]);
});

test("each cell knows when it was last seen, and what stood there", () => {
  const { seen, what, stood } = sightsOf(eastwards(), 2);
  assert.deepEqual([...seen.subarray(5, 10)], [1, 2, 2, 2, -1]);
  assert.deepEqual([...what.subarray(5, 10)], [0, -1, -1, -1, -1]);
  assert.deepEqual(stood, [{ x: 0, y: 1, frame: 0 }, null]);
});

test("a place out of view is a ghost of the age of its last sight, named where the agent stood on it", () => {
  assert.deepEqual(remembered(eastwards(), 1), []);
  assert.deepEqual(remembered(eastwards(), 3), [{ affordance: 0, x: 0, y: 1, age: 2, named: true, wrong: false }]);
  const passed = new HandTrack({ position: walk(3, 2, 1) }, INSIGHTFUL); // the fair is seen and never stood on
  assert.deepEqual(remembered(passed, 2), [{ affordance: 1, x: 4, y: 1, age: 2, named: false, wrong: false }]);
});

test("going back in time forgets what had not been seen by then", () => {
  const track = eastwards();
  assert.equal(remembered(track, 3).length, 1);
  assert.deepEqual(sightsOf(track, 0).seen[8], -1);
});

test("a place that moved away unseen is a wrong ghost, and none once its empty cell is seen", () => {
  const track = new HandTrack({ position: walk(0, 1, 2, 2, 1) }, INSIGHTFUL);
  track.places = (frame) => (frame < 3 ? [[0, 1], [4, 1]] : [[4, 0], [4, 1]]);
  assert.deepEqual(remembered(track, 2)[0].wrong, false);
  assert.deepEqual(remembered(track, 3), [{ affordance: 0, x: 0, y: 1, age: 2, named: true, wrong: true }]);
  assert.deepEqual(remembered(track, 4), []);
  assert.match(holdingInWords(track, 3), /seen before: one place\..* Gone by now: 1 of 1\.$/);
});

test("what was seen is told anew after a change by hand", () => {
  const track = new HandTrack({ position: walk(1, 1, 1, 3) }, INSIGHTFUL);
  remembered(track, 3);
  track.places = (frame) => (frame < 1 ? [[0, 1], null] : [[1, 0], null]);
  track.changes.push({ frame: 1, what: "moved the farm" });
  assert.deepEqual(remembered(track, 3), [{ affordance: 0, x: 1, y: 0, age: 1, named: false, wrong: false }]);
});

test("a network that keeps sightings holds what it stood on, also where that is seen to be gone", () => {
  const keeps = { network: { sightings: true }, memory: [{ name: "last sightings", units: 6 }] };
  const track = eastwards(keeps);
  assert.deepEqual(held(track, 3), [{ affordance: 0, x: 0, y: 1, age: 3, named: true, wrong: false }]);
  assert.match(holdingInWords(track, 3), /holds for certain.*Corn farm 3/);
  const gone = new HandTrack({ position: walk(0, 1, 1) }, keeps);
  gone.places = (frame) => (frame < 2 ? [[0, 1], null] : [[4, 0], null]);
  assert.deepEqual(held(gone, 2).map(({ wrong, age }) => [wrong, age]), [[true, 2]]);
  assert.equal(held(eastwards(), 3), null);
});

test("where the level shows all places there is nothing to remember", () => {
  const world = smallWorld({ window: null, observation: [{ name: "offsets", start: 0, width: 4 }] });
  const track = eastwards({ world, memory: INSIGHTFUL.memory });
  assert.equal(visible(track, 0).every((cell) => cell === 1), true);
  assert.deepEqual(remembered(track, 3), []);
  assert.match(holdingInWords(track, 3), /all is in view/);
});

test("what is said of memory never claims what only the network could know", () => {
  assert.match(holdingInWords(eastwards(), 3), /could remember that\. Whether it does shows in what it chooses/);
  assert.match(holdingInWords(eastwards({}), 3), /no memory/);
});
