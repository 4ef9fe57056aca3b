// That a recorded life is found equal to the page's own, and that whatever differs is told where it does.

import assert from "node:assert/strict";
import test from "node:test";

import { checkWorld, relive, whyNotPlayed } from "townlet/world/parity.js";
import { World } from "townlet/world/world.js";
import { E, NOTHING, REST, USE, header, paying } from "./town.mjs";

/** A life of four steps, as a file would tell it: water falls by 3/8 with the move, and by 1/4 in each tick after. */
function track(changes = {}, life = {}) {
  const columns = {
    tick: [[0], [1], [2], [3], [4]],
    position: [[1, 1], [2, 1], [2, 1], [2, 1], [2, 1]],
    progress: [[0], [0], [0], [0], [0]],
    meters: [[1, 1, 0.5, 1], [0.625, 1, 0.5, 1], [0.375, 1, 0.5, 1], [0.125, 1, 0.5, 1], [0, 1, 0.5, 1]],
    allowed: [[47], [63], [47], [47], [47]], // the Mill is open until 2: its use is bit 4
    action: [[E], [REST], [REST], [USE]],
    completed: [[NOTHING], [NOTHING], [NOTHING], [NOTHING]],
    reward: [[1, 0], [1, 0], [1, 0], [0, -3]],
    ...changes,
  };
  const scales = { meters: new Array(4).fill(1 / 65535), reward: [1 / 65535, 3 / 65535] };
  const replay = { columns: new Map(Object.keys(columns).map((name) => [name, { scale: scales[name] ?? null }])) };
  return {
    replay,
    frames: 5,
    life: { places: [[0, 0], [2, 1]], length: 4, ended: "death", cause: 0, ...life },
    at: (name, time) => columns[name][time],
    value: (name, time) => columns[name][time][0],
  };
}

const town = new World(paying({ alive: 1, death: -3 }));
const changed = (list, time, to) => list.map((one, index) => (index === time ? to : one));
const difference = (one) => checkWorld(one, town).firstDifference;

test("a life that the page lives as it was recorded is equal", () => {
  assert.deepEqual(checkWorld(track(), town), { equal: true, steps: 4, firstDifference: null });
});

test("a life is lived once more step by step", () => {
  const told = [...relive(track(), town)].map(({ state, died }) => [state.x, state.meters[0], died]);
  assert.deepEqual(told, [[2, 0.625, false], [2, 0.375, false], [2, 0.125, false], [2, 0, true]]);
});

test("the first number that differs is told with its frame", () => {
  const { at } = track();
  const all = (name, count) => Array.from({ length: count }, (_, time) => at(name, time));
  assert.deepEqual(difference(track({ position: changed(all("position", 5), 2, [3, 1]) })),
    { frame: 2, column: "position", component: 0, recorded: 3, here: 2 });
  assert.deepEqual(difference(track({ tick: changed(all("tick", 5), 0, [1]) })),
    { frame: 0, column: "tick", component: 0, recorded: 1, here: 0 });
  assert.deepEqual(difference(track({ allowed: changed(all("allowed", 5), 4, [63]) })),
    { frame: 4, column: "allowed", component: 0, recorded: 63, here: 47 });
  assert.deepEqual(difference(track({ completed: changed(all("completed", 4), 3, [1]) })),
    { frame: 4, column: "completed", component: 0, recorded: 1, here: NOTHING });
  assert.deepEqual(difference(track({ reward: changed(all("reward", 4), 3, [0, -2]) })),
    { frame: 4, column: "reward", component: 1, recorded: -2, here: -3 });
  assert.equal(checkWorld(track({ reward: changed(all("reward", 4), 3, [0, -2]) }), town).steps, 3);
});

test("meters are met within half a step of how they are stored, and no farther", () => {
  const off = (share) => track({ meters: changed(Array.from({ length: 5 }, (_, time) => track().at("meters", time)), 2,
    [0.375, 1, 0.5 + share / 65535, 1]) });
  assert.equal(difference(off(0.5)), null);
  assert.deepEqual([difference(off(0.6)).column, difference(off(0.6)).component], ["meters", 2]);
});

test("a component that is always the same is met exactly", () => {
  const one = track();
  one.replay.columns.get("reward").scale = [1, 1];
  assert.equal(difference(one), null);
  assert.equal(checkWorld(one, new World(paying({ alive: 1.25, death: -3 }))).firstDifference.column, "reward");
});

test("another end than the recorded one is told", () => {
  assert.deepEqual(difference(track({}, { cause: 1 })),
    { frame: 4, column: "cause", component: 0, recorded: 1, here: 0 });
  assert.deepEqual(difference(track({}, { ended: "cut", cause: null })),
    { frame: 4, column: "ended", component: 0, recorded: "cut", here: "death" });
  const longer = new World(paying({ alive: 1, death: -3 }));
  longer.tables.maxSteps = 2;
  assert.deepEqual(checkWorld(track(), longer).firstDifference,
    { frame: 2, column: "ended", component: 0, recorded: null, here: "limit" });
});

test("why a life cannot be gone on from is told in a sentence", () => {
  assert.equal(whyNotPlayed(track(), town), null);
  const unknown = new World(header({ terms: ["fame"] }));
  assert.equal(whyNotPlayed(track(), unknown), unknown.known);
  const said = "This page's rules part from the recording at frame 1: reward is 1 there, 2 here.";
  assert.equal(whyNotPlayed(track(), new World(paying({ alive: 2, death: -3 }))), said);
});
