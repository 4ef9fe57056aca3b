// What a person changes by hand, and lives that begin where none was recorded.

import assert from "node:assert/strict";
import test from "node:test";

import { EditError, putAgent, putPlace, removePlace, setHour, setMeter, setTick } from "townlet/world/edits.js";
import { drawPlaces, drawStart, generator } from "townlet/world/starts.js";
import { World } from "townlet/world/world.js";
import { BREAD, USE, at, header } from "./town.mjs";

const town = new World(header());
const refused = (change, said) =>
  assert.throws(change, (error) => error instanceof EditError && said.test(error.message));

test("an edit follows a state and leaves it as it was", () => {
  const state = at({ x: 2, progress: 1 }), kept = structuredClone(state);
  putAgent(town, state, 0, 0);
  putPlace(town, state, 1, 3, 2);
  removePlace(town, state, 1);
  setMeter(town, state, BREAD, 0.5);
  setTick(town, state, 9);
  assert.deepEqual(state, kept);
});

test("an agent that is put elsewhere forfeits what it had begun", () => {
  const { x, y, progress } = putAgent(town, at({ x: 2, progress: 1 }), 0, 2);
  assert.deepEqual([x, y, progress], [0, 2, 0]);
  assert.equal(putAgent(town, at({ x: 2, progress: 1 }), 2, 1).progress, 1);
});

test("a place that is moved is used where it stands now", () => {
  const state = putPlace(town, at({ meters: Float32Array.of(0.25, 1, 1, 1) }), 0, 1, 1);
  assert.deepEqual(state.places, [[1, 1], [2, 1]]);
  assert.equal(town.step(state, USE).completed, 0);
  assert.deepEqual(removePlace(town, state, 0).places, [null, [2, 1]]);
  assert.deepEqual(putPlace(town, removePlace(town, state, 0), 0, 0, 2).places, [[0, 2], [2, 1]]);
});

test("progress is lost with the place underfoot, and with one that comes there, and kept elsewhere", () => {
  const inMill = at({ x: 2, progress: 2 });
  assert.equal(putPlace(town, inMill, 1, 3, 1).progress, 0);
  assert.equal(removePlace(town, inMill, 1).progress, 0);
  assert.equal(putPlace(town, at({ progress: 2 }), 0, 1, 1).progress, 0);
  assert.equal(putPlace(town, inMill, 0, 0, 2).progress, 2);
  assert.equal(putPlace(town, inMill, 1, 2, 1).progress, 2); // to where it stands
});

test("a meter and the clock are set to what they can be", () => {
  assert.deepEqual([...setMeter(town, at(), BREAD, 0.25).meters], [1, 0.25, 1, 1]);
  assert.equal(setMeter(town, at(), BREAD, 0.1).meters[BREAD], Math.fround(0.1));
  assert.equal(setTick(town, at(), 99).tick, 99);
  const hours = [0, 7].map((hour) => setHour(town, at({ tick: 20 }), hour).tick);
  assert.deepEqual(hours, [16, 23]); // of its third day of 8 hours
  assert.equal(setHour(town, at({ tick: 98 }), 7).tick, 95); // tick 103 is past the limit
});

test("what no world holds is refused in a sentence", () => {
  refused(() => putAgent(town, at(), 4, 0), /^There is no column 5, row 1 on this map, which has 4 columns and 3 rows\.$/);
  refused(() => putPlace(town, at(), 0, 0, -1), /^There is no column .* on this map/);
  refused(() => putPlace(town, at(), 0, 0.5, 1), /^There is no column .* on this map/);
  refused(() => putPlace(town, at(), 0, 2, 1), /^Another place stands on column 3, row 2 already; choose a free one\.$/);
  refused(() => putPlace(town, at(), 2, 3, 2), /no place of index 2/);
  refused(() => setMeter(town, at(), 4, 0.5), /no meter of index 4/);
  for (const share of [-0.1, 1.1, NaN]) refused(() => setMeter(town, at(), BREAD, share), /between 0 and 1/);
  for (const tick of [-1, 100, 1.5]) {
    refused(() => setTick(town, at(), tick), /^The tick is a whole number from 0 to 99, not/);
  }
  refused(() => setHour(town, at(), 8), /^The hour is a whole number from 0 to 7, not 8\.$/);
  refused(() => setHour(new World(header({ day_ticks: null })), at(), 3), /no day/);
});

test("a seed draws the same numbers again, another one others, all within bounds", () => {
  const draws = (seed) => Array.from({ length: 50 }, ((draw) => () => draw(7))(generator(seed)));
  assert.deepEqual(draws(5), draws(5));
  assert.notDeepEqual(draws(5), draws(6));
  assert.deepEqual([...new Set(draws(5))].sort(), [0, 1, 2, 3, 4, 5, 6]);
});

test("a map that is drawn has the places of the one that it is like, on distinct cells", () => {
  const [well] = header().world.affordances;
  const full = new World(header({ width: 2, height: 2, affordances: new Array(5).fill(well) }));
  const drawn = drawPlaces(full, [[0, 0], [1, 0], null, [0, 1], [1, 1]], generator(3));
  assert.equal(drawn[2], null);
  assert.deepEqual(drawn.filter(Boolean).map(String).sort(), ["0,0", "0,1", "1,0", "1,1"]);
});

test("a life that is drawn begins as an episode does, on a map of its own unless that is fixed", () => {
  const like = [[0, 0], [2, 1]];
  const starts = Array.from({ length: 20 }, (_, seed) => drawStart(town, like, seed));
  assert.deepEqual(starts[7], drawStart(town, like, 7));
  assert.ok(new Set(starts.map((state) => String(state.places))).size > 10);
  assert.ok(new Set(starts.map(({ x, y }) => `${x} ${y}`)).size > 5);
  assert.deepEqual([...starts[0].meters], [1, 1, 0.5, 1]);
  assert.equal(drawStart(town, like, 7, true).places, like);
});
