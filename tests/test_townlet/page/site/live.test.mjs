// News of a run, and where the points of its curves lie.

import assert from "node:assert/strict";
import test from "node:test";

import { lastStep, span, trace } from "townlet/live/curves.js";
import { count, duration, figure, News } from "townlet/live/news.js";
import { factsOf } from "townlet/live/panel.js";

const points = (anew, told) => ["points", { anew, points: told }];

test("points are added to those that came before, or take their place", () => {
  const news = new News();
  news.take(...points(true, { a: [[4, 1]], b: [[4, null]] }));
  news.take(...points(false, { a: [[8, 2]] }));
  assert.deepEqual([...news.points], [["a", [[4, 1], [8, 2]]], ["b", [[4, null]]]]);
  news.take(...points(true, { a: [[6, 3]] }));
  assert.deepEqual([...news.points], [["a", [[6, 3]]]]);
});

test("the newest agent is wanted, unless another was chosen that is still there", () => {
  const news = new News(), [old, fresh] = [{ path: "replays/1", step: 1 }, { path: "replays/2", step: 2 }];
  assert.equal(news.wanted(null), null);
  news.take("replays", { recordings: [old, fresh], said: "" });
  assert.equal(news.newest, fresh);
  assert.equal(news.wanted(null), fresh);
  assert.equal(news.wanted("replays/1"), old);
  assert.equal(news.wanted("replays/0"), fresh);
});

test("numbers are told in few letters", () => {
  assert.deepEqual([950, 12345, 99_999, 123_456, 3_500_000, 40_000_512, 2.5e9].map(count),
    ["950", "12,345", "99,999", "123 k", "3.5 M", "40 M", "2.5 G"]);
  assert.deepEqual([0, 61.9, 3599, 3600, 36_125].map(duration), ["0:00", "1:01", "59:59", "1:00:00", "10:02:05"]);
  assert.deepEqual([null, undefined, 486.24, 12.34, 0.0391, -168.4, 0].map(figure),
    ["–", "–", "486", "12.3", "0.039", "-168", "0"]);
});

const picture = { series: [{ metric: "a" }, { metric: "b" }], lines: { random: 100 }, most: 500 };

test("a picture spans its curves, its lines, what can be reached, and zero", () => {
  assert.deepEqual(span(picture, new Map([["a", [[1, 300]]]])), [0, 500]);
  assert.deepEqual(span({ ...picture, most: null }, new Map([["b", [[1, -3], [2, null]]]])), [-3, 100]);
  assert.deepEqual(span({ series: [], lines: {}, most: null }, new Map()), [0, 1]);
  assert.equal(lastStep(picture, new Map([["a", [[1, 0], [4, 0]]], ["b", [[3, 0]]]])), 4);
  assert.equal(lastStep(picture, new Map()), 0);
});

test("a curve runs from the first step to the last, and is broken where a value is missing", () => {
  const box = { left: 10, top: 20, width: 100, height: 50 };
  assert.deepEqual(trace([[0, 0], [5, 10], [10, null], [20, 5]], 20, [0, 10], box),
    [[[10, 70], [35, 20]], [[110, 45]]]);
  assert.deepEqual(trace([], 20, [0, 10], box), []);
});

test("of a very long curve the last point is drawn, and not more than fit", () => {
  const long = Array.from({ length: 10_001 }, (_, step) => [step, step]);
  const [piece] = trace(long, 10_000, [0, 10_000], { left: 0, top: 0, width: 10_000, height: 1 });
  assert.ok(piece.length <= 2_001);
  assert.deepEqual([piece[0], piece.at(-1)], [[0, 1], [10_000, 0]]);
});

test("a run that goes on says how long it takes from now", () => {
  const run = { step: 10, total_steps: 70, state: "training", elapsed: 5, steps_per_second: 2, agents: 1024, seed: 3 };
  const facts = Object.fromEntries(factsOf(run));
  assert.equal(facts.steps, "10 of 70");
  assert.equal(facts.time, "0:05, 0:30 left");
  assert.equal(Object.fromEntries(factsOf({ ...run, state: "over" })).time, "0:05");
  assert.equal(Object.fromEntries(factsOf({ ...run, steps_per_second: null }))["steps a second"], "–");
});
