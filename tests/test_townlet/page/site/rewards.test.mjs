// What each term of the reward pays; expected numbers are worked out by hand, in eighths, which are exact.

import assert from "node:assert/strict";
import test from "node:test";

import { World } from "townlet/world/world.js";
import { REST, USE, at, header, paying } from "./town.mjs";

const meters = (...levels) => ({ meters: Float32Array.of(...levels) });
const paid = (world, state, action = REST) => world.step(state, action).rewards;
const dying = at(meters(0.125, 1, 1, 1));

test("being alive pays each tick but the last of a death, which pays what dying does", () => {
  const world = new World(paying({ alive: 0.5, death: -2 }));
  assert.deepEqual(world.terms, ["alive", "death"]);
  assert.deepEqual(paid(world, at()), [0.5, 0]);
  assert.deepEqual(paid(world, at({ tick: 99 })), [0.5, 0]); // the step limit is no death
  assert.deepEqual(paid(world, dying), [0, -2]);
});

test("milestones pay at the multiples of their ticks, together where they meet, and the dead nothing", () => {
  const milestones = [{ every: 2, value: 0.5 }, { every: 3, value: 4 }];
  const world = new World(paying({ milestones }, "milestones"));
  const paidAfter = [1, 2, 3, 4, 5].map((tick) => paid(world, at({ tick }))[2]);
  assert.deepEqual(paidAfter, [0.5, 4, 0.5, 0, 4.5]); // at ticks 2 to 6
  assert.equal(paid(world, { ...dying, tick: 5 })[2], 0);
});

test("wellbeing pays meters as the tick leaves them, by their weights", () => {
  const world = new World(paying({ wellbeing: { water: 2, coin: 0.5 } }, "wellbeing"));
  assert.equal(paid(world, at(meters(1, 1, 0.5, 1)))[2], 1.75); // 2 x 3/4 + 1/2 x 1/2
  assert.equal(paid(world, dying)[2], 0);
});

test("an interaction pays what it changes in a meter, as far as the meter holds it", () => {
  const world = new World(paying({ interaction: { bread: 2, coin: 4 } }, "interaction"));
  assert.equal(paid(world, at({ x: 2, ...meters(1, 0.5, 0.5, 1) }), USE)[2], 0); // 2 x 1/4 - 4 x 1/8
  assert.equal(paid(world, at({ x: 2, ...meters(1, 0.875, 0.5, 1) }), USE)[2], -0.25); // bread is full after 1/8
  assert.equal(paid(world, at())[2], 0);
});

test("a potential pays what meters are fuller, weighed, and takes back all of it at a death", () => {
  const potential = { scale: 4, meters: { water: { weight: 1, full: 1 }, coin: { weight: 3, full: 0.5 } } };
  const world = new World(paying({ potential, gamma: 0.5 }, "potential"));
  // phi of water 1, coin 1/4: (1 x 1 + 3 x (1 - 1/4)) / 4 = 13/16; then water is 3/4: (15/16 + 9/4) / 4 = 51/64
  assert.equal(paid(world, at(meters(1, 1, 0.25, 1)))[2], 4 * (51 / 128 - 13 / 16));
  assert.equal(paid(world, at(meters(1, 1, 1, 1)))[2], 4 * ((15 / 16 + 3) / 8 - 1)); // coin counts as full from 1/2 on
  assert.equal(paid(world, at(meters(0.25, 1, 0.5, 1)))[2], -4 * (7 / 16 + 3) / 4); // (1 - (3/4)^2) x 1 before, 0 after
});

test("terms are paid in the order in which the header names them", () => {
  const { world } = paying({ alive: 1, death: -1, wellbeing: { joy: 0.25 } });
  const turned = new World({ world: { ...world, terms: ["wellbeing", "death", "alive"] } });
  assert.deepEqual(paid(turned, at()), [0.25, 0, 1]);
});

test("a term or a meter that the page does not know is told in a sentence", () => {
  assert.equal(new World(header()).known, null);
  assert.equal(new World(paying({}, "fame")).known, "This page does not know the reward's term fame.");
  assert.equal(new World(paying({}, "toString")).known, "This page does not know the reward's term toString.");
  const absent = new World(paying({ wellbeing: { fame: 1 } }, "wellbeing"));
  assert.equal(absent.known, "This page finds no meter fame, which the reward names.");
});
