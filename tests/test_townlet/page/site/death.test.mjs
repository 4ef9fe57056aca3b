// A death told backwards, and what an agent wants, in lives of a few steps that were lived by hand.

import assert from "node:assert/strict";
import test from "node:test";

import { tickTold } from "townlet/explain/cascades.js";
import { howItEnded, lossesOf } from "townlet/explain/death.js";
import { fillersOf, helpFor, knownPlaces } from "townlet/explain/help.js";
import { wantsInWords } from "townlet/explain/wants.js";
import { HandTrack, smallWorld, walk } from "./hand_made.mjs";

const USE = 2, REST = 3;

/** A life along the middle row: [[x, action] for each step], from meters on; it ends where the rules let it die. */
function lived(steps, meters, { world = smallWorld(), places = [[0, 1], [4, 1]], ...options } = {}) {
  const columns = { position: [], meters: [meters], action: [], completed: [] };
  let now = meters, x = steps[0][0];
  for (const [index, [at, action]] of steps.entries()) {
    const uses = action === USE ? places.findIndex((place) => place?.[0] === at) : null;
    x = steps[index + 1]?.[0] ?? at;
    now = tickTold(world, now, { moved: x !== at, uses, last: uses !== null }).meters;
    columns.position.push([at, 1]);
    columns.meters.push(now);
    columns.action.push([action]);
    columns.completed.push([uses ?? world.affordances.length]);
  }
  columns.position.push([x, 1]);
  const died = now[0] === 0 ? { ended: "death", cause: 0 } : {};
  return new HandTrack(columns, { world, places, life: died, memory: [{ name: "hidden", units: 1 }], ...options });
}

const texts = (told) => told.map(({ text }) => text);
const rest = (x, count) => Array(count).fill([x, REST]);

test("losses since a meter was at half are told by cause, and sum up to what it lost", () => {
  // Joy is empty: each tick food loses 1% by itself and 12% to joy.
  const track = lived(rest(2, 4), [0.52, 0]), losses = lossesOf(track, 0, 4);
  assert.equal(losses.from, 0);
  assert.deepEqual(losses.shares.map(({ kind, by }) => [kind, by]), [["pull", 1], ["own", null]]);
  assert.ok(Math.abs(losses.total - 0.52) < 1e-12);
  assert.ok(Math.abs(losses.shares[0].amount - 0.48) < 1e-12);
});

test("a death is told backwards: what was empty, what took it, since when, and what would have saved it", () => {
  // At the fair in the east food falls to 2 ticks' worth; the farm, 4 steps and 3% a step away, it has stood on.
  const track = lived([[0, REST], [1, REST], [2, REST], [3, REST], ...rest(4, 5)], [0.6, 0.2]);
  const told = howItEnded(track);
  assert.equal(track.life.ended, "death");
  assert.equal(told[0].text, `It died at step ${track.life.length}: food was empty.`);
  assert.match(told[1].text, /^From step 1 on food lost \d+%: \d+% to low joy and \d+% by itself and by moving\.$/);
  assert.equal(told[2].text, "Joy was under 25% from step 0 on; nothing had filled it before.");
  assert.equal(told.at(-1).text, "Until step 2 it could have saved itself: " +
    "Corn farm, where it had stood before, was 2 steps away, and it could pay.");
  assert.deepEqual(told.map(({ frame }) => frame), [track.life.length, 1, 0, 2]);
});

test("what filled a meter last is named with its step", () => {
  const track = lived([[4, USE], ...rest(4, 21)], [1, 0.42]); // joy is at 87% after the use, and at 22% 13 ticks later
  const told = texts(howItEnded(track));
  assert.match(told[2], /^Joy was under 25% from step 14 on; last filled at step 0, at Fair\.$/);
});

test("a place that it had never stood on is no chance that it missed, and that is said", () => {
  const track = lived(rest(1, 3), [0.3, 0]);
  assert.equal(texts(howItEnded(track)).at(-1),
    "At step 1 Corn farm was 1 step away and it could pay, but it had never stood there to know it.");
});

test("where no place could be paid in time that is said", () => {
  const track = lived(rest(2, 2), [0.2, 0], { places: [null, [4, 1]] });
  assert.equal(texts(howItEnded(track)).at(-1), "At no step it could have reached and paid a place that fills food.");
});

test("a life at its limit tells its closest call, one that was cut says so", () => {
  const track = lived(rest(0, 2), [1, 1]);
  assert.deepEqual(texts(howItEnded(track)),
    ["It was alive at the limit of 2 steps.", "Closest call: food at 98%, at step 2."]);
  track.life.ended = "cut";
  assert.deepEqual(texts(howItEnded(track)), ["This recording stops at step 2; the agent lived on."]);
});

test("what fills a meter only by a trifle is no help", () => {
  const world = smallWorld();
  world.affordances[0].whole_effect = [0.5, 0.05]; // a tenth of what the fair gives
  assert.deepEqual([fillersOf(world, 0), fillersOf(world, 1)], [[0], [1]]);
});

test("help is what it knows, what can be used first, then what is near", () => {
  const world = smallWorld();
  world.affordances[0].whole_effect = world.affordances[0].effect = [0.5, 0.5];
  const track = lived([[0, REST], [1, REST], [2, REST], [3, REST], [4, REST]], [0.5, 0.5], { world });
  assert.deepEqual(knownPlaces(track, 0).map(({ affordance }) => affordance), [0]);
  const told = helpFor(track, 4, 1).map(({ affordance, steps, lacks }) => [affordance, steps, lacks]);
  assert.deepEqual(told, [[1, 0, null], [0, 4, null]]);
  const poor = lived([[0, REST], [1, REST], [2, REST], [3, REST], [4, REST]], [0.18, 0.9], { world });
  assert.deepEqual(helpFor(poor, 4, 1).map(({ affordance, lacks }) => [affordance, lacks]), [[0, null], [1, 0]]);
});

test("a shut place is told with its hours, and comes after one that is open", () => {
  const world = smallWorld({ day_ticks: 24 });
  world.affordances[0].hours = [8, 18];
  const track = lived(rest(0, 2), [0.2, 1], { world });
  assert.equal(texts(wantsInWords(track, 0))[1],
    "What helps: Corn farm, underfoot. It is shut then, and open 08:00 to 18:00.");
});

test("what it wants is told in three sentences: need, help, and what it does", () => {
  const track = lived([[0, REST], [1, REST], [2, 0], [1, 0], [0, USE], [0, REST]], [0.3, 1]);
  // At step 2 food is at 24%, joy at 90%. Food falls to 11% in 13 ticks, then by 3, 5 and 7%, as joy is at 20, 15, 10%.
  assert.deepEqual(wantsInWords(track, 2), [
    { text: "It needs food most: 24% is left, and doing nothing it would be dead in 16 ticks.", frame: null },
    { text: "What helps: Corn farm, 2 steps away, out of view, last visited 2 ticks ago.", frame: null },
    { text: "It goes west. It will use Corn farm (food) in 2 ticks.", frame: 4 },
  ]);
  assert.equal(texts(wantsInWords(track, 4))[2], "It uses Corn farm (food).");
});

test("an agent all of whose meters are above half is well", () => {
  const track = lived(rest(2, 1), [1, 1]);
  assert.match(texts(wantsInWords(track, 0))[0],
    /^It is well: doing nothing it would be dead in \d+ ticks, and food would be empty first\.$/);
  assert.equal(texts(wantsInWords(track, 0))[1], "It has stood on no place yet that helps: it has to search.");
});
