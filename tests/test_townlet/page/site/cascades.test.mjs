// What takes from each meter, reckoned by hand: food loses 1% a tick, joy 5%, and joy under 25% pulls on food.

import assert from "node:assert/strict";
import test from "node:test";

import {
  actOf, consequenceInWords, emptyInWords, mostUrgent, outlook, pressureInWords, pressures, tickTold,
} from "townlet/explain/cascades.js";
import { HandTrack, smallWorld, walk } from "./hand_made.mjs";

const about = (found, wanted) =>
  found.forEach((value, index) => assert.ok(Math.abs(value - wanted[index]) < 1e-6, `${found}`));

test("a tick without action takes what meters lose by themselves, then what low ones pull", () => {
  const told = tickTold(smallWorld(), [0.5, 0.15]);
  // Joy is at 10% when pulls are reckoned, 15% under the threshold of 25%: three fifths of 10%.
  about(told.meters, [0.5 - 0.01 - 0.06, 0.1]);
  assert.deepEqual(told.causes[0].map(({ kind, by }) => [kind, by]), [["own", null], ["pull", 1]]);
  about(told.causes[0].map(({ amount }) => amount), [0.01, 0.06]);
});

test("a move costs, a use costs and gives, and the last tick of it gives the bonus", () => {
  const [world, generous] = [smallWorld(), smallWorld()];
  about(tickTold(world, [0.5, 1], { moved: true, uses: null, last: false }).meters, [0.47, 0.95]);
  about(tickTold(world, [0.5, 0.4], { moved: false, uses: 1, last: false }).meters, [0.39, 0.85]);
  generous.affordances[1].bonus = [0, 0.1];
  about(tickTold(generous, [0.5, 0.4], { moved: false, uses: 1, last: true }).meters, [0.39, 0.95]);
});

test("meters stay between empty and full", () => {
  assert.deepEqual(tickTold(smallWorld(), [0.9, 0.01], { moved: false, uses: 0, last: true }).meters, [1, 0]);
});

test("a group of pulls reads meters as the group before left them, and its pulls do not see each other", () => {
  const pulls = [{ source: 0, target: 1, strength: 0.05 }, { source: 1, target: 0, strength: 0.1 }];
  const meters = [0.135, 0.15];
  // After what they lose by themselves: 12.5% and 10%, short of 25% by a half and by three fifths.
  const together = tickTold(smallWorld({ cascades: [{ name: "both", pulls }] }), meters);
  about(together.meters, [0.125 - 0.06, 0.1 - 0.025]);
  about(together.causes.map((told) => told.at(-1).amount), [0.06, 0.025]);
  const apart = pulls.map((pull) => ({ name: "one", pulls: [pull] }));
  about(tickTold(smallWorld({ cascades: apart }), meters).meters, [0.125 - 0.07, 0.1 - 0.025]); // joy at 7.5% by then
});

test("a drain is told in two parts: what it always takes, and what it takes more as another meter falls", () => {
  const drains = [{ meter: 0, by: 1, rate: 0.1, at_full: 0.5, at_empty: 1.5 }];
  const { causes } = tickTold(smallWorld({ drains }), [1, 0.65]);
  assert.deepEqual(causes[0].map(({ kind }) => kind), ["own", "own", "drain"]);
  about(causes[0].map(({ amount }) => amount), [0.01, 0.05, 0.04]); // joy is at 60%: two fifths of 10%
});

test("what an agent did is read from the track: moves, uses, and neither where the mask forbids it", () => {
  const track = new HandTrack({
    position: walk(1, 0, 0, 0, 0), action: [[0], [2], [2], [3]], allowed: [[15], [15], [11], [15], [15]],
    completed: [[2], [0], [2], [2]],
  });
  assert.deepEqual([0, 1, 2, 3].map((step) => actOf(track, step)), [
    { moved: true, uses: null, last: false }, { moved: false, uses: 0, last: true },
    { moved: false, uses: null, last: false }, { moved: false, uses: null, last: false },
  ]);
});

test("the outlook says after how many ticks meters are empty, and of which one it would die", () => {
  const world = smallWorld({ cascades: [] });
  assert.deepEqual(outlook(world, [0.095, 0.2]), { empty: [10, 4], death: { meter: 0, ticks: 10 } });
  assert.deepEqual(outlook(world, [1, 1], 50), { empty: [null, 20], death: null });
});

test("most urgent is the meter that, were it full, would put death off longest", () => {
  const world = smallWorld();
  // Joy is empty and 5% under that when pulls are reckoned, so food loses 1% and 12% a tick: dead in 4. With food full
  // it would be in 8, with joy full in 15 ticks until joy is low and some more.
  const { meter, death, longer } = mostUrgent(world, [0.5, 0]);
  assert.deepEqual([meter, death], [1, { meter: 0, ticks: 4 }]);
  assert.ok(longer > 10);
  assert.equal(mostUrgent(world, [0.05, 1]).meter, 0);
});

test("pressures are told in words, with names from the world alone", () => {
  const world = smallWorld(), track = new HandTrack({ position: walk(0), meters: [[0.5, 0.15]] }, { world });
  const [food, joy] = pressures(track, 0);
  assert.equal(pressureInWords(world, [0.5, 0.15], 0, food),
    "Food loses 1% a tick, 6% more because joy is at 15%, 2% more with a move.");
  assert.equal(pressureInWords(world, [0.5, 0.15], 1, joy), "Joy loses 5% a tick.");
  const empty = [[0, 6], [1, 1], [1, 0], [0, null]].map(([meter, ticks]) => emptyInWords(world, meter, ticks));
  assert.deepEqual(empty,
    ["Dead in 6 ticks if nothing is done.", "Empty in 1 tick if nothing is done.", "Joy is empty.", ""]);
  assert.deepEqual([consequenceInWords(world, 1), consequenceInWords(world, 0)], ["Under 25% it pulls down food.", ""]);
});

test("a meter that nothing takes from is said to lose nothing", () => {
  const world = smallWorld();
  world.meters[1].passive = 0;
  const track = new HandTrack({ position: walk(0) }, { world });
  assert.equal(pressureInWords(world, [1, 1], 1, pressures(track, 0)[1]), "Joy loses nothing by itself.");
});
