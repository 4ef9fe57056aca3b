// The rules of a tick, one by one; expected numbers are worked out by hand, most of them in eighths, which are exact.

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "townlet/world/world.js";
import { BREAD, COIN, E, JOY, N, NOTHING, REST, S, USE, W, WATER, at, header } from "./town.mjs";

const town = new World(header());
const meters = (...levels) => ({ meters: Float32Array.of(...levels) });
const after = (world, state, action) => [...world.step(state, action).state.meters];

/** A world where nothing changes but by the rule that a test is about. */
const still = (changes = {}) => {
  const { world } = header();
  const calm = world.meters.map((meter) => ({ ...meter, passive: 0, move: 0 }));
  return new World(header({ meters: calm, ...changes }));
};

test("an episode begins with the initial meters, at no tick and with nothing done", () => {
  const state = town.begin({ places: [[0, 0], null], x: 3, y: 2 });
  assert.deepEqual([state.x, state.y, state.progress, state.tick, state.places], [3, 2, 0, 0, [[0, 0], null]]);
  assert.deepEqual(state.meters, Float32Array.of(1, 1, 0.5, 1));
});

test("a step changes neither the state that it is given nor what that holds", () => {
  const state = at({ x: 2, progress: 2 });
  const kept = structuredClone(state);
  for (const action of [N, USE, REST]) town.step(state, action);
  assert.deepEqual(state, kept);
});

test("a move goes one cell, costs what a move costs, and forfeits what was begun", () => {
  const cells = [[N, 1, 0], [S, 1, 2], [W, 0, 1], [E, 2, 1]];
  for (const [action, x, y] of cells) {
    const { state } = town.step(at({ progress: 2 }), action);
    assert.deepEqual([state.x, state.y, state.progress, state.tick], [x, y, 0, 9]);
    assert.deepEqual([...state.meters], [0.625, 1, 1, 1]); // 1 - 1/8 - 1/4
  }
});

test("a move against the edge is a wait, and keeps what was begun", () => {
  for (const [action, x, y] of [[N, 1, 0], [S, 1, 2], [W, 0, 1], [E, 3, 1]]) {
    const { state } = town.step(at({ x, y, progress: 2 }), action);
    assert.deepEqual([state.x, state.y, state.progress], [x, y, 2]);
    assert.deepEqual([...state.meters], [0.75, 1, 1, 1]);
  }
});

test("a header without the rules of a world is told in a sentence", () => {
  for (const [key, value] of [["meters", null], ["reward", null], ["observation", 3], ["affordances", [{}]]]) {
    assert.match(new World(header({ [key]: value })).known, /^This page cannot read the rules of this world: /);
  }
});

test("an action that the world has not is refused", () => {
  assert.throws(() => town.step(at(), 6), /action: expected an index below 6, got 6/);
});

test("an interaction of one tick does all of it, and says whose it was", () => {
  const done = town.step(at({ x: 0, y: 0, ...meters(0.375, 1, 1, 1) }), USE);
  assert.deepEqual([...done.state.meters], [0.625, 1, 1, 1]); // 3/8 + 1/2 - 1/4
  assert.deepEqual([done.completed, done.state.progress], [0, 0]);
});

test("an interaction of three ticks pays each, and adds its bonus on the last", () => {
  let state = at({ x: 2, ...meters(1, 0.125, 0.5, 1) });
  const told = [];
  for (let tick = 0; tick < 4; tick++) {
    const done = town.step(state, USE);
    state = { ...done.state, tick: 8 }; // the door stays open
    told.push([state.meters[BREAD], state.meters[COIN], state.progress, done.completed]);
  }
  // bread: + 1/4 each tick, + 1/8 on the third; then it is full. The fourth begins anew.
  assert.deepEqual(told, [[0.375, 0.375, 1, NOTHING], [0.625, 0.25, 2, NOTHING], [1, 0.125, 0, 1], [1, 0, 1, NOTHING]]);
});

test("to use nothing, what cannot be paid or what is closed is a wait", () => {
  const poor = at({ x: 2, ...meters(1, 0.5, 0.12, 1) }), closed = at({ x: 2, tick: 11 });
  for (const state of [at(), poor, closed, at({ x: 0, y: 0, places: [null, [2, 1]] })]) {
    const done = town.step({ ...state, progress: 1 }, USE);
    assert.deepEqual(done.state.meters, town.step(state, REST).state.meters);
    assert.deepEqual([done.completed, done.state.progress], [NOTHING, 1]);
  }
});

test("a cost can be paid by a meter that is short of it by a millionth", () => {
  const world = still();
  assert.deepEqual(after(world, at({ x: 2, ...meters(1, 0.5, 0.125 - 5e-7, 1) }), USE), [1, 0.75, 0, 1]);
  assert.equal(after(world, at({ x: 2, ...meters(1, 0.5, 0.125 - 2e-6, 1) }), USE)[BREAD], 0.5);
});

test("a door is open from its first hour to before its second, past midnight, every day", () => {
  const open = Array.from({ length: 16 }, (_, tick) => town.isOpen(1, tick));
  assert.deepEqual(open.map(Number), [1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1]); // from 6 to 2, of 8 hours
  const [well, mill] = header().world.affordances;
  const day = new World(header({ affordances: [well, { ...mill, hours: [2, 6] }] }));
  assert.deepEqual([1, 2, 5, 6].map((tick) => day.isOpen(1, tick)), [false, true, true, false]);
  assert.equal(new World(header({ day_ticks: null })).isOpen(1, 3), true);
  assert.equal(town.isOpen(0, 3), true);
});

test("a mask has a bit for each action that stays on the grid, and for what is open and can be paid", () => {
  const moves = (...actions) => actions.reduce((bits, action) => bits | (1 << action), 1 << REST);
  assert.equal(town.mask(at()), moves(N, S, W, E));
  assert.equal(town.mask(at({ x: 0, y: 0 })), moves(S, E, USE));
  assert.equal(town.mask(at({ x: 3, y: 2 })), moves(N, W));
  assert.equal(town.mask(at({ x: 2, tick: 6 })), moves(N, S, W, E, USE));
  assert.equal(town.mask(at({ x: 2, tick: 5 })), moves(N, S, W, E)); // closed
  assert.equal(town.mask(at({ x: 2, tick: 6, ...meters(1, 1, 0, 1) })), moves(N, S, W, E)); // no coin
});

test("a drain grows as another meter falls, and reads that after its own change", () => {
  const drains = [{ meter: BREAD, by: WATER, rate: 0.25, at_full: 0.5, at_empty: 2.5 }];
  // water falls to 1/2, so half of it is missing: 1/4 x (1/2 + 2 x 1/2)
  assert.equal(after(new World(header({ drains })), at(meters(0.75, 1, 1, 1)), REST)[BREAD], 1 - 0.375);
  const alone = still({ drains: [{ ...drains[0], by: null }] });
  assert.equal(after(alone, at(meters(0.25, 1, 1, 1)), REST)[BREAD], 1 - 0.125); // by what is absent: as if full
});

test("pulls of one group do not see each other, those of the next see what it left", () => {
  const first = { source: WATER, target: BREAD, strength: 0.5 }, second = { source: BREAD, target: JOY, strength: 0.5 };
  const group = (...pulls) => ({ name: "", pulls });
  const state = at(meters(0.25, 0.5, 1, 1));
  const together = still({ threshold: 0.5, cascades: [group(first, second)] });
  assert.deepEqual(after(together, state, REST), [0.25, 0.25, 1, 1]); // water is half short of 1/2, bread not at all
  const apart = still({ threshold: 0.5, cascades: [group(first), group(second)] });
  assert.deepEqual(after(apart, state, REST), [0.25, 0.25, 1, 0.75]); // bread was left half short
});

test("meters are clamped once, at the end of a tick", () => {
  assert.deepEqual(after(town, at({ x: 0, y: 0 }), USE), [1, 1, 1, 1]); // 1 + 1/2 - 1/4: what overflows takes the loss
  assert.deepEqual(after(town, at(meters(0.125, 1, 1, 1)), REST), [0, 1, 1, 1]);
});

test("an agent dies of the first lethal meter that is empty, to a millionth, of no other", () => {
  const end = (world, ...levels) => {
    const { died, truncated, cause } = world.step(at(meters(...levels)), REST);
    return [died, truncated, cause];
  };
  assert.deepEqual(end(still(), 0, 0, 1, 1), [true, false, WATER]);
  assert.deepEqual(end(still(), 1, 0, 1, 1), [true, false, BREAD]);
  assert.deepEqual(end(still(), 5e-7, 1, 1, 1), [true, false, WATER]);
  assert.deepEqual(end(still(), 2e-6, 1, 0, 0), [false, false, null]);
});

test("an episode ends at the step limit for who lives, and dying there is dying", () => {
  const end = (tick, ...levels) => {
    const { died, truncated } = town.step(at({ tick, ...meters(...levels) }), REST);
    return [died, truncated];
  };
  assert.deepEqual(end(98, 1, 1, 1, 1), [false, false]);
  assert.deepEqual(end(99, 1, 1, 1, 1), [false, true]);
  assert.deepEqual(end(99, 0.25, 1, 1, 1), [true, false]);
});

test("numbers are rounded as in float32 at every sum", () => {
  // In units of 2^-24, float32's 0.01 is 167772.15625, and its 0.03 is 503316.46875. 2^24 less the first rounds to
  // 16609444, and that less the second to 16106128; the sum of both at once would round to 16106127.
  const { world } = header();
  const rates = world.meters.map((meter) => ({ ...meter, passive: -0.03, move: -0.01 }));
  const [level] = after(new World(header({ meters: rates })), at(), E);
  assert.equal(level * 2 ** 24, 16106128);
});
