// Bookmarks that the page sets by itself: which moments, in which order, and how few.

import assert from "node:assert/strict";
import test from "node:test";

import { eventsOf, KINDS, surpriseAt } from "townlet/explain/events.js";
import { HandTrack, smallWorld, walk } from "./hand_made.mjs";

const of = (track, wanted) =>
  eventsOf(track).filter(({ kind }) => kind === wanted).map(({ frame, text }) => [frame, text]);
const constant = (count, row) => Array.from({ length: count }, () => [...row]);

test("places that come into view and uses are told once each; what is in view from the start is no news", () => {
  const track = new HandTrack({
    position: walk(1, 2, 3, 4, 4, 4), action: [[1], [1], [1], [2], [2]], completed: [[2], [2], [2], [1], [1]],
  });
  assert.deepEqual(of(track, "sight"), [[2, "First sees Fair"]]);
  assert.deepEqual(of(track, "use"), [[3, "First uses Fair"]]);
});

test("a surprise is reward and discounted value of what came, less what was expected", () => {
  const q = [[1, 0, 0, 4], [9, 2, 0, 0], [0, 0, 0, 1]], reward = [[1, 0], [0, 0], [0, -2]];
  const columns = { position: walk(1, 1, 1, 1), q, reward, allowed: [[15], [14], [15], [15]] };
  const track = new HandTrack(columns, { life: { ended: "death", cause: 0 } });
  // 1 + 0.5 * 2 - 4, for 9 is forbidden; 0 + 0.5 * 1 - 0; -2 - 1 at the death, after which nothing comes.
  assert.deepEqual([0, 1, 2].map((step) => surpriseAt(track, step)), [-2, 0.5, -3]);
  track.life.ended = "limit";
  assert.equal(surpriseAt(track, 2), null, "a life that is cut off has a value that is not recorded");
});

test("of many moments the most telling are kept, and none close to a better one", () => {
  const steps = 200, q = constant(steps, [0, 1, 0, 0]), blank = constant(steps, [0, 1, 0, 0]);
  const costs = { 10: 0.3, 15: 0.5, 40: 0.1, 60: 0.2, 80: 0.2, 100: 0.2, 120: 0.2, 140: 0.2 };
  for (const [step, cost] of Object.entries(costs)) {
    q[step] = [0, cost, 0, 0];
    blank[step] = [1, 0, 0, 0];
  }
  const track = new HandTrack({
    position: constant(steps + 1, [2, 1]), action: constant(steps, [1]), q, q_blank: blank,
  });
  assert.deepEqual(of(track, "memory").map(([frame]) => frame), [15, 60, 80, 100, 120, 140]);
  assert.equal(of(track, "memory")[0][1], "Memory decided: EAST, not WEST");
});

test("meters that pull on others are told where they stay low, others and brief dips are not", () => {
  const joy = [...Array(5).fill(0.5), ...Array(5).fill(0.2), ...Array(5).fill(0.5), ...Array(15).fill(0.1)];
  const track = new HandTrack({ position: constant(30, [2, 1]), meters: joy.map((value) => [0.1, value]) });
  assert.deepEqual(of(track, "low"), [[15, "Joy falls under 25%"]]);
});

test("the longest time without a use is told, where it is long", () => {
  const action = [...constant(30, [3]), [2], ...constant(10, [3]), [2]], steps = action.length;
  const track = new HandTrack({ position: constant(steps + 1, [0, 1]), action, completed: constant(steps, [0]) });
  assert.deepEqual(of(track, "wander"), [[0, "Uses no place for 30 ticks, longer than ever"]]);
});

test("the end comes last, and changes by hand are kept", () => {
  const track = new HandTrack({ position: walk(1, 1) }, { life: { ended: "death", cause: 0 } });
  assert.deepEqual(eventsOf(track).at(-1), { frame: 1, kind: "end", text: "Dies: food is empty" });
  track.changes.push({ frame: 0, what: "Moved Fair" });
  assert.deepEqual(of(track, "change"), [[0, "Moved Fair"]]);
  assert.ok(eventsOf(track).every(({ kind }) => kind in KINDS));
});

test("where all is in view, or nothing is remembered, there are no bookmarks of that", () => {
  const world = smallWorld({ window: null, observation: [{ name: "offsets", start: 0, width: 4 }] });
  const track = new HandTrack({ position: walk(1, 2, 3), q: constant(2, [0, 1, 0, 0]) }, { world });
  assert.deepEqual([of(track, "sight"), of(track, "memory")], [[], []]);
});
