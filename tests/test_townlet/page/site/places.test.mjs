// Places in words, the clock, the letters on houses, the colour of a house, and where a timeline is meant.

import assert from "node:assert/strict";
import test from "node:test";

import { filledBy, glyphs } from "townlet/drawing.js";
import { clock, darkness, dayAndTime, hourOf, hoursOf, isOpen, tellPlace, tellStep } from "townlet/explain/places.js";
import { eventAt, frameAt } from "townlet/views/timeline_life.js";

const place = (changes) => ({ name: "CoffeeShop", ticks: 1, hours: null, whole_cost: [0, 0], whole_effect: [0, 0], ...changes });
const header = (affordances = [], day = 24) => ({
  world: {
    day_ticks: day, affordances, meters: [{ name: "sleep" }, { name: "free_time" }],
    actions: [{ name: "W", dx: -1, dy: 0, interacts: false }, { name: "USE", dx: 0, dy: 0, interacts: true },
      { name: "SING", dx: 0, dy: 0, interacts: false }],
  },
});

test("the hour is a tick's share of the day, and a level without days has none", () => {
  assert.deepEqual([0, 7, 25].map((tick) => hourOf(header(), tick)), [0, 7, 1]);
  assert.equal(hourOf(header([], 48), 13), 6.5);
  assert.equal(dayAndTime(header([], 48), 61), "day 2, 06:30");
  assert.equal(dayAndTime(header([], null), 5), null);
  assert.deepEqual([0, 6.5, 23.999].map(clock), ["00:00", "06:30", "00:00"]);
});

test("it is dark at night, light by day, and neither at dawn", () => {
  assert.deepEqual([0, 3, 4.5, 6, 7.5, 12, 17.5, 19, 20.5, 23].map(darkness), [1, 1, 1, 0.5, 0, 0, 0, 0.5, 1, 1]);
  assert.equal(darkness(null), 0);
});

test("a place is open from the first hour to before the second, also past midnight", () => {
  const open = (hours) => [...Array(24).keys()].filter((tick) => isOpen(header(), place({ hours }), tick + 24));
  assert.deepEqual(open([8, 11]), [8, 9, 10]);
  assert.deepEqual(open([22, 2]), [0, 1, 22, 23]);
  assert.equal(open(null).length, 24);
  assert.equal(hoursOf(header(), place({ hours: [8, 18] })), "08:00 to 18:00");
});

test("what a place gives and takes is told as the sum of effect and cost", () => {
  const one = place({ whole_cost: [0, 0.1125], whole_effect: [0.5, 0], ticks: 5, hours: [8, 18] });
  const told = (tick) => tellPlace(header([one]), 0, tick);
  assert.equal(told(9), "Gives sleep +50%. Takes free time \u221211.25%. Lasts 5 steps. Open 08:00 to 18:00.");
  assert.equal(told(19), "Gives sleep +50%. Takes free time \u221211.25%. Lasts 5 steps. Open 08:00 to 18:00, now shut.");
  assert.equal(tellPlace(header([place({ whole_cost: [0, -0.2] })]), 0, 0), "Gives free time +20%.");
  assert.equal(tellPlace(header([place()]), 0, 0), "Changes nothing.");
});

test("a step is told by what the action does, and the last frame by how the life ended", () => {
  const track = (action, life = {}) => ({
    header: header([place({ ticks: 3 })]), life: { places: [[2, 1]], ended: "limit", ...life }, changes: [],
    value: (name) => (name === "action" ? action : 1), at: () => [2, 1],
  });
  assert.deepEqual([0, 1, 2].map((action) => tellStep(track(action), 0)),
    ["Goes left", "Uses coffee shop, step 2 of 3", "Sing"]);
  assert.equal(tellStep(track(1, { places: [null] }), 0), "Uses what is not there");
  assert.equal(tellStep(track(null, { ended: "death", cause: 1 }), 0), "Died: free time was empty");
  assert.equal(tellStep(track(null), 0), "Lived to the end");
  assert.equal(tellStep(track(null, { ended: "cut" }), 0), "The recording ends here");
});

test("letters are initials of words or how a name begins, all different, whatever the names", () => {
  assert.deepEqual(glyphs(["Bed", "Bar", "Bench", "HomeMeal", "fast_food", "Gym"]), ["Be", "Ba", "Bn", "HM", "FF", "Gy"]);
  assert.deepEqual(glyphs(["A", "B"]), ["A", "B"]);
  const many = glyphs(Array.from({ length: 40 }, (_, index) => `place ${index}`));
  assert.equal(new Set(many).size, many.length);
});

test("a house has the colour of the meter that it fills most", () => {
  assert.equal(filledBy({ whole_effect: [0.2, 0.3], whole_cost: [0, 0.2] }), 0);
  assert.equal(filledBy({ whole_effect: [0, 0], whole_cost: [0.1, 0] }), null);
});

test("a place on the timeline is the nearest frame, and the event whose mark is near enough", () => {
  const drawn = { last: 100, width: 216 }; // 8 pixels on both sides, 2 for each frame
  assert.deepEqual([0, 8, 108, 108.9, 109.1, 208, 300].map((x) => frameAt(x, drawn)), [0, 0, 50, 50, 51, 100, 100]);
  const events = [{ frame: 10 }, { frame: 12 }];
  assert.deepEqual([20, 29, 31, 38].map((x) => eventAt(x, drawn, events)?.frame ?? null), [null, 10, 12, null]);
});
