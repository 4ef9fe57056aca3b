// The memory lens and what is added up from steps, on values made by hand.

import assert from "node:assert/strict";
import test from "node:test";

import { normAt, partsOf } from "townlet/explain/holding.js";
import { lensAt, lensInWords } from "townlet/explain/lens.js";
import { paidAt } from "townlet/explain/paying.js";
import { firstVisits, noveltyOf, visitsOf } from "townlet/explain/visiting.js";
import { figure, full, listed, percent, signed, ticks, words } from "townlet/explain/words.js";
import { HandTrack, walk } from "./hand_made.mjs";

/** One step; by its memory EAST is best, without it USE would be, and WEST, largest of all, is forbidden. */
const decided = (changes = {}) => new HandTrack({
  position: walk(1, 2), action: [[1]], allowed: [[14], [15]],
  q: [[9, 3, 2, 1]], q_blank: [[9, 1, 2.5, 1]], ...changes,
});

test("memory decided where the best allowed action differs without it, at the price of its own values", () => {
  const { best, bestBlank, decided: by, cost, gap, chosen } = lensAt(decided(), 0);
  assert.deepEqual([best, bestBlank, by, cost, chosen], [1, 2, true, 1, 1]);
  assert.ok(Math.abs(gap - (2 + 0.5 + 0) / 3) < 1e-12, "the mean over what is allowed");
});

test("the lens is told in a sentence", () => {
  const { world } = decided().header, said = (track) => lensInWords(world, lensAt(track, 0));
  assert.equal(said(decided()), "Memory decided: without it USE, worth 1.000 less.");
  assert.equal(said(decided({ q_blank: [[9, 3, 2, 1]] })), "Memory or not: EAST is best.");
  assert.equal(said(decided({ q_blank: undefined })), "It has no memory, and goes by what it sees now.");
  assert.equal(said(decided({ action: [[3]] })),
    "Memory decided: without it USE, worth 1.000 less. It did REST all the same.");
  assert.equal(lensInWords(world, lensAt(decided(), 1)), "The life has ended: there is nothing left to choose.");
  assert.match(lensInWords(world, lensAt(decided(), 1), true), /^What it chooses here is not known/);
});

test("where nothing is allowed the first action is chosen, as by the network, and memory decides nothing", () => {
  const { best, bestBlank, decided: by, gap } = lensAt(decided({ allowed: [[0], [15]], action: [[0]] }), 0);
  assert.deepEqual([best, bestBlank, by, gap], [0, 0, false, 0]);
});

test("of values that are stored as equal the chosen one is the best", () => {
  assert.equal(lensAt(decided({ q: [[9, 3, 3, 1]], action: [[2]] }), 0).best, 2);
});

test("terms of the reward are those of the step, and added up to it", () => {
  const track = new HandTrack({ position: walk(1, 2, 3, 3), reward: [[1, 0], [1, -0.5], [0.5, 0]] });
  assert.deepEqual(paidAt(track, 1), { now: [1, -0.5], sum: [2, -0.5] });
  assert.deepEqual(paidAt(track, 3), { now: null, sum: [2.5, -0.5] });
});

test("the size of a memory is the root of its mean square, and its parts lie one after the other", () => {
  const memory = [{ name: "hidden", units: 2 }, { name: "cell", units: 1 }];
  const track = new HandTrack({ position: walk(1, 1), memory: [[2, -2, 1], null] }, { memory });
  assert.equal(normAt(track, 0), Math.sqrt(3));
  assert.equal(normAt(track, 1), null);
  assert.deepEqual(partsOf(track.header).map(({ from }) => from), [0, 2]);
});

test("visits count the frames in each cell up to now, of one life or of several", () => {
  const [one, other] = [new HandTrack({ position: walk(1, 1, 2) }), new HandTrack({ position: walk(1, 0) })];
  assert.deepEqual([...visitsOf([one], 1).subarray(5, 10)], [0, 2, 0, 0, 0]);
  assert.deepEqual([...visitsOf([one, other], 9).subarray(5, 10)], [1, 3, 1, 0, 0]);
  assert.deepEqual([...firstVisits(one, 9).subarray(5, 10)], [-1, 0, 2, -1, -1]);
  assert.deepEqual([0, 1, 4].map(noveltyOf), [1, 1, 0.5]);
});

test("numbers and names are said short", () => {
  assert.deepEqual([0.314, 0.0125, 0.005, 0.00021, 0.00001].map(percent), ["31%", "1.3%", "0.5%", "0.02%", "0%"]);
  assert.deepEqual([0, 0.004, 0.0149, 1].map(full), ["0%", "<1%", "1%", "100%"]);
  assert.deepEqual([1234.56, 12.345, 0.1234, -0.0001].map(figure), ["1234.6", "12.35", "0.123", "0.000"]);
  assert.deepEqual([0.5, -0.5, 0].map(signed), ["+0.500", "-0.500", "0.000"]);
  assert.deepEqual([ticks(1), ticks(2)], ["1 tick", "2 ticks"]);
  assert.deepEqual([listed(["a", "b", "c"]), listed(["a"])], ["a, b and c", "a"]);
  assert.deepEqual(["HomeMeal", "home_meal", "UP"].map(words), ["Home meal", "Home meal", "UP"]);
});
