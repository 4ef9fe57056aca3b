// Who is shown beside a life: those that began as it did, and a network of the same form with fresh weights.

import assert from "node:assert/strict";
import test from "node:test";

import { companyOf, mayHaveCompany } from "townlet/alive/company.js";
import { freshWeights } from "townlet/alive/untrained.js";

const tensor = (...shape) => ({ shape, numbers: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(7) });
const WEIGHTS = new Map([
  ["body.0.0.weight", tensor(50, 4)], ["body.0.0.bias", tensor(50)], ["body.0.1.weight", tensor(50)],
  ["body.0.1.bias", tensor(50)], ["cell.weight_ih_l0", tensor(64, 9)], ["cell.weight_hh_l0", tensor(64, 16)],
  ["cell.bias_ih_l0", tensor(64)], ["ruled.0.mix", tensor(4, 3)],
]);

test("fresh weights have the same shapes, and lie as far from 0 as those that begin in PyTorch", () => {
  const fresh = freshWeights(WEIGHTS, 1);
  const shapes = (weights) => [...weights].map(([name, { shape }]) => [name, shape]);
  assert.deepEqual(shapes(fresh), shapes(WEIGHTS));
  for (const [name, reach] of [
    ["body.0.0.weight", 1 / 2], ["body.0.0.bias", 1 / 2], // four inputs
    ["cell.weight_ih_l0", 1 / 4], ["cell.weight_hh_l0", 1 / 4], ["cell.bias_ih_l0", 1 / 4], // sixteen units
  ]) {
    const most = Math.max(...fresh.get(name).numbers.map(Math.abs));
    assert.ok(most <= reach && most > 0.9 * reach, `${name}: ${most}`);
  }
  assert.ok(fresh.get("body.0.1.weight").numbers.every((gain) => gain === 1));
  assert.ok(fresh.get("body.0.1.bias").numbers.every((shift) => shift === 0));
  assert.ok(fresh.get("ruled.0.mix").numbers.every((number) => number === 7)); // no layer: it stays as it was
});

test("the same seed draws the same weights, another seed others", () => {
  const numbers = (seed) => [...freshWeights(WEIGHTS, seed).get("body.0.0.weight").numbers];
  assert.deepEqual(numbers(1), numbers(1));
  assert.notDeepEqual(numbers(1), numbers(2));
});

test("lives of other replays are those of the same agent, on the same map, from the same cell", () => {
  const position = (x) => ({ every: 1, low: null, lives: 1, components: 2, times: 2, stored: Uint8Array.of(x, x, 0, 0) });
  const other = (agent, places, x, steps) => ({
    header: { world: { width: 3, height: 1 }, origin: { env_steps: steps }, lives: [{ agent, places, length: 1 }] },
    columns: new Map([["position", position(x)]]),
  });
  const track = { header: { world: { width: 3, height: 1 } }, life: { agent: 2, places: [[0, 0]] }, at: () => [1, 0] };
  const beside = [
    other(2, [[0, 0]], 1, 500), other(3, [[0, 0]], 1, 1), other(2, [[2, 0]], 1, 2), other(2, [[0, 0]], 2, 3),
  ];
  assert.deepEqual(companyOf({ beside, alive: null }, track).lives.map(({ label }) => label), ["after 500 steps of learning"]);
});

test("company is offered where there are other replays, a network that can begin anew, or a planner", () => {
  const app = (changes) => ({ alive: null, beside: [], replay: { header: {} }, ...changes });
  assert.deepEqual([
    {}, { beside: [{}] }, { alive: { thinks: true } }, { alive: { thinks: false } }, { replay: { header: { planner: [] } } },
  ].map((changes) => mayHaveCompany(app(changes))), [false, true, true, false, true]);
});
