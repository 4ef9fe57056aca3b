// What an agent sees; expected numbers are worked out by hand.

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "townlet/world/world.js";
import { at, seeing } from "./town.mjs";

const seen = (parts, state, changes) => [...new World(seeing(parts, changes)).observe(state)];

test("the window has a 1 where a place stands, row by row, and nothing outside the map", () => {
  const window = (state) => seen([["window", 9]], state, { window: 3 });
  assert.deepEqual(window(at()), [1, 0, 0, 0, 0, 1, 0, 0, 0]); // the Well up to the left, the Mill to the right
  assert.deepEqual(window(at({ x: 0, y: 0 })), [0, 0, 0, 0, 1, 0, 0, 0, 0]); // underfoot
  assert.deepEqual(window(at({ places: [null, [3, 1]] })), new Array(9).fill(0)); // absent, and two cells away
});

test("a position is in shares of the map, or one of its cells", () => {
  assert.deepEqual(seen([["position", 2]], at({ x: 3, y: 1 })), [1, 0.5]);
  const cell = seen([["position", 12]], at({ x: 3, y: 1 }));
  assert.deepEqual([cell.indexOf(1), cell.reduce((a, b) => a + b)], [7, 1]); // the second row's last
  assert.deepEqual(seen([["position", 2]], at({ x: 0, y: 2 }), { width: 1 }), [0, 1]); // one column: its share is 0
});

test("offsets tell how far places lie to the right, then below, and 0 of what is absent", () => {
  const third = Math.fround(1 / 3);
  assert.deepEqual(seen([["offsets", 4]], at()), [-third, third, -0.5, 0]);
  assert.deepEqual(seen([["offsets", 4]], at({ places: [null, [0, 2]] })), [0, -third, 0, 0.5]);
});

test("meters are themselves, and underfoot is one of the places or none", () => {
  assert.deepEqual(seen([["meters", 4]], at({ meters: Float32Array.of(0.25, 1, 0, 0.5) })), [0.25, 1, 0, 0.5]);
  assert.deepEqual(seen([["underfoot", 3]], at()), [0, 0, 1]);
  assert.deepEqual(seen([["underfoot", 3]], at({ x: 2 })), [0, 1, 0]);
});

test("the clock is the sine and the cosine of the time of day", () => {
  const quarter = Math.fround(Math.SQRT1_2);
  assert.deepEqual(seen([["clock", 2]], at({ tick: 8 })), [0, 1]);
  assert.deepEqual(seen([["clock", 2]], at({ tick: 9 })), [quarter, quarter]); // an eighth of a day
});

test("progress is a share of the ticks that the place underfoot takes, age one of the step limit", () => {
  assert.deepEqual(seen([["progress", 1]], at({ x: 2, progress: 2 })), [Math.fround(2 / 3)]);
  assert.deepEqual(seen([["progress", 1]], at({ progress: 0 })), [0]);
  assert.deepEqual(seen([["age", 1]], at({ tick: 25 })), [0.25]);
});

test("parts lie where the header says", () => {
  const world = new World(seeing([["meters", 4], ["age", 1], ["underfoot", 3]]));
  assert.equal(world.width, 8);
  assert.deepEqual([...world.observe(at({ tick: 50 }))], [1, 1, 1, 1, 0.5, 0, 0, 1]);
});

test("a part that the page does not know, or not with so many numbers, is told in a sentence", () => {
  assert.equal(new World(seeing([["smell", 3]])).known, "This page does not know the observation's part smell.");
  const wide = new World(seeing([["position", 3]]));
  assert.equal(wide.known, "This page does not know how the observation's position has 3 numbers.");
  const apart = seeing([["meters", 4], ["age", 1]]);
  apart.world.observation[1].start = 6;
  const said = "This page does not know why the observation's age begins at 6 and not at 4.";
  assert.equal(new World(apart).known, said);
  const either = new World(seeing([["position", 2]], { width: 2, height: 1 })); // two numbers in either way
  assert.equal(either.known, "This page does not know how the observation's position has 2 numbers.");
});
