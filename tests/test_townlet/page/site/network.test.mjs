// The network's parts by values worked out by hand, and what the page says of a network that it does not know.

import assert from "node:assert/strict";
import test from "node:test";

import { makeCell } from "townlet/network/cells.js";
import { Counter, OutcomeCounter, PartCounter } from "townlet/network/counter.js";
import { Delta, DeltaPhases } from "townlet/network/delta.js";
import { Frontier } from "townlet/network/frontier.js";
import { Inputs, Layout } from "townlet/network/inputs.js";
import { LinearRecurrentUnits } from "townlet/network/lru.js";
import { greedy } from "townlet/network/greedy.js";
import { makeNetwork, whyUnknown } from "townlet/network/network.js";
import { checkNetwork } from "townlet/network/parity.js";
import { Record } from "townlet/network/records.js";
import { LastSightings, PlacesInView } from "townlet/network/sightings.js";
import { Spectral, SteeredSpectral } from "townlet/network/spectral.js";
import { Weights } from "townlet/network/weights.js";

/** A world of 3 x 2 cells and two actions that observes parts of some widths. */
function world(parts, window = null) {
  let start = 0;
  const observation = Object.entries(parts).map(([name, width]) => ({ name, width, start: (start += width) - width }));
  return { width: 3, height: 2, actions: [{}, {}], window, observation };
}

const weights = (all) => new Weights(new Map(Object.entries(all).map(([name, [shape, ...numbers]]) =>
  [name, { shape, numbers: Float32Array.from(numbers) }])));

/** What a memory reads and keeps of one row of inputs after the other, from zeros on. */
function unroll(memory, rows) {
  let before = memory.sizes.map((size) => new Float32Array(size));
  return rows.map((row) => {
    const after = memory.sizes.map((size) => new Float32Array(size)), into = new Float32Array(memory.width);
    memory.step(Float32Array.from(row), before, after, into, 0);
    before = after;
    return { read: [...into], kept: after.map((part) => [...part]) };
  });
}

function near(got, expected, close = 1e-6) {
  assert.equal(got.length, expected.length);
  for (const [index, value] of [...expected].entries()) {
    assert(Math.abs(got[index] - value) < close, `${index}: expected ${[...expected]}, got ${[...got]}`);
  }
}

const HALF = Math.atanh(0.5); // its tanh is a half

test("an LSTM with gates half open keeps half of its cell and takes in half; hidden comes before the cell", () => {
  const cell = makeCell(weights({
    "cell.weight_ih_l0": [[4, 1], 0, 0, 1, 0], "cell.weight_hh_l0": [[4, 1], 0, 0, 0, 0],
    "cell.bias_ih_l0": [[4], 0, 0, 0, 0], "cell.bias_hh_l0": [[4], 0, 0, 0, 0],
  }), "lstm", 1, 1);
  const one = [new Float32Array(1), new Float32Array(1)], two = [new Float32Array(1), new Float32Array(1)];
  cell.step([HALF], [Float32Array.of(0), Float32Array.of(0)], one);
  cell.step([HALF], one, two);
  near(one.map(([number]) => number), [0.5 * Math.tanh(0.25), 0.25]);
  near(two.map(([number]) => number), [0.5 * Math.tanh(0.375), 0.375]);
});

test("a GRU with its update gate half open goes half of the way to what is fresh", () => {
  const cell = makeCell(weights({
    "cell.weight_ih_l0": [[3, 1], 0, 0, 1], "cell.weight_hh_l0": [[3, 1], 0, 0, 2],
    "cell.bias_ih_l0": [[3], 0, 0, 0], "cell.bias_hh_l0": [[3], 0, 0, 0],
  }), "gru", 1, 1);
  const [one, two] = [[new Float32Array(1)], [new Float32Array(1)]];
  cell.step([HALF], [Float32Array.of(0)], one);
  cell.step([HALF - 0.25], one, two); // the reset gate lets half of 2 * 0.25 in
  near([one[0][0], two[0][0]], [0.25, 0.375]);
});

test("sightings keep where each kind was last underfoot, and read which way that lies", () => {
  const memory = new LastSightings(new Layout(world({ position: 2, underfoot: 3 })));
  const [first, second] = unroll(memory, [[0.5, 1, 1, 0, 0], [1, 0, 0, 0, 1]]);
  assert.deepEqual([first.kept, second.kept], [[[1, 0, 0.5, 0, 1, 0]], [[1, 0, 0.5, 0, 1, 0]]]);
  near(first.read, [1, 0, 0, 0, 0, 0, 0, 0]); // here
  near(second.read, [1, 0, -1, 0, 1, 0, 1.5, 0]); // half a map to the left, a whole one below
});

test("where places are in view what stands on the map is known, also underfoot, and nothing is kept", () => {
  const memory = new PlacesInView(new Layout(world({ offsets: 6, underfoot: 4 })));
  const [{ read, kept }] = unroll(memory, [[0.5, 0, 0, -0.25, 0, 0, 0, 1, 0, 0]]);
  assert.deepEqual(read, [1, 1, 0, 1, 0, 0, -1, 0, 0, 0.75, 0, 0]);
  assert.deepEqual(kept, []);
});

test("the frontier points to the nearest place that was not stood on, and to the nearest ground not seen", () => {
  const memory = new Frontier(new Layout(world({ window: 9, position: 2 }, 3)));
  const [{ read, kept }] = unroll(memory, [[0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0]]); // at 0, 0, on a place, one below
  assert.deepEqual(kept, [[3, 1, 0, 2, 1, 0]]);
  assert.deepEqual(read, [1, 1, 0, 1, 1, 0, 1, 1]); // 0 right and 1 below; 1 (two columns) right and 0 below
  const [between] = unroll(memory, [[0, 0, 0, 1, 0, 1, 0, 0, 0, 0.5, 0]]); // two are as near: the first is to the left
  near(between.read, [1, 0, -1, 0, 0, 0, 0.5, 0]);
});

test("spectral memories turn what they hold, and read it over the root of the lags", () => {
  const layout = new Layout(world({ seen: 1 })), root = Math.SQRT1_2;
  const plain = new Spectral(weights({}), "", layout, { lags: 2, keep: 0.5 });
  near(unroll(plain, [[1], [2]])[1].read, [2.5 * root, 0, 1.5 * root, 0]); // 0.5 + 2, and -0.5 + 2
  const squashed = new Spectral(weights({}), "", layout, { lags: 2, keep: 1, squash: true });
  near(unroll(squashed, [[-3]])[0].read, [-Math.log(4) * root, 0, -Math.log(4) * root, 0]);
  const wide = new Layout(world({ seen: 2 })), mix = weights({ "ruled.0.mix": [[2, 1], 1, -2] });
  near(unroll(new Spectral(mix, "ruled.0", wide, { lags: 2, keep: 1, widest: 1 }), [[3, 1]])[0].kept[0], [1, 0, 1, 0]);
});

test("a steered spectral memory turns by what comes in, and writes through its gate", () => {
  const layout = new Layout(world({ seen: 1 })), inputs = new Inputs(layout, false, false);
  const steer = { "x.steer.weight": [[2, 1], 0, 0], "x.steer.bias": [[2], HALF, Math.log(3)] };
  const memory = new SteeredSpectral(weights(steer), "x", layout, inputs, { lags: 2, keep: 1, banks: 1 });
  near(unroll(memory, [[4], [0]])[1].kept[0], [3, 0, 0, 3]); // three quarters of 4, turned by half of half a turn
});

test("what the delta rule finds at a key is written over", () => {
  const layout = new Layout(world({ seen: 1 })), inputs = new Inputs(layout, false, false);
  const address = { "x.address.weight": [[4, 1], 0, 1, 0, 0], "x.address.bias": [[4], 5, 0, 7, Math.log(3)] };
  const plain = new Delta(weights(address), "x", layout, inputs, { keys: 1, values: 1, keep: 0.5 });
  const [first, second] = unroll(plain, [[4], [0]]);
  near([...first.kept[0], ...first.read], [3, 3]); // three quarters of 4, at a key of length 1
  near([...second.kept[0], ...second.read], [0.375, 0.375]); // 1.5 is left, and of that a quarter
});

test("phases of a place are read relative to today's", () => {
  const layout = new Layout(world({ position: 2 })), inputs = new Inputs(layout, false, false);
  const address = { "x.address.weight": [[2, 2], 0, 0, 0, 0], "x.address.bias": [[2], 1, 100] };
  const memory = new DeltaPhases(weights(address), "x", layout, inputs, { keys: 1, values: 1, keep: 1, phases: true });
  near(unroll(memory, [[1, 0]])[0].kept[0], [Math.cos(1.5), Math.sin(1.5)]);
  near(unroll(memory, [[1, 0]])[0].read, [1, 0, 0]);
  const shut = weights({ ...address, "x.address.weight": [[2, 2], 0, 0, 0, -200], "x.address.bias": [[2], 1, 100] });
  const kept = new DeltaPhases(shut, "x", layout, inputs, { keys: 1, values: 1, keep: 1, phases: true });
  const [, { read }] = unroll(kept, [[0, 0], [0.1, 1]]); // the second writes nothing: what lies 0.1 to the left
  near(read, [Math.cos(0.15), -Math.sin(0.15), Math.tanh(-12 * Math.sin(0.15))]);
});

test("linear recurrent units fade and turn, and trace what they owe to their parameters", () => {
  const layout = new Layout(world({ seen: 1 })), inputs = new Inputs(layout, false, false);
  const named = { // kept are 0.6 a step, turned by a quarter; 0.8 of the input comes in
    "x.drive.weight": [[2, 1], 1, 0], "x.drive.bias": [[2], 0, 0],
    "x.nu": [[1], Math.log(-Math.log(0.6))], "x.theta": [[1], Math.PI / 2],
  };
  const memory = new LinearRecurrentUnits(weights(named), "x", inputs, { units: 1, traces: true });
  const [first, second] = unroll(memory, [[1], [2]]);
  near(first.kept[0], [0.8, 0, 0, 0, 1, 0, 1, 0]);
  near(second.kept[0], [1.6, 0.48, 0.8, 0, 2, 0.6, 1, 0.6]);
  near(second.read, [1.6, 0.48]);
});

test("counters tell each count apart, by the action that it came after, or by its part", () => {
  const layout = new Layout(world({ seen: 2 })), inputs = new Inputs(layout, true, false);
  const config = { most: 2, reach: 0 };
  const all = unroll(new Counter(layout, { most: 2 }), [[1, 0], [1, 0], [1, 0.5]]);
  assert.deepEqual(all.map(({ read }) => read), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0.5, 0]]);
  const [, outcomes] = unroll(new OutcomeCounter(layout, inputs, config), [[1, 1, 0, 0], [1, 0, 0, 1]]);
  assert.deepEqual(outcomes, { read: [0, 0, 0, 0, 1, 0, 0, 0], kept: [[0, 0, 1, 0]] });
  const [parts] = unroll(new PartCounter(layout, inputs, config), [[0, 1, 0, 1]]);
  assert.deepEqual(parts, { read: [0, 0, 0, 1, 0, 1, 1], kept: [[0, 1]] });
});

test("an action's record is read with its neighbours' and with a 1 for each, in the light of the head", () => {
  const kernel = [9, 1, 9, 9, 2, 9, 9, 4, 9], edges = [9, 10, 9, 9, 20, 9, 9, 40, 9]; // what lies beside meets nothing
  const first = (...numbers) => [...numbers, ...new Array(31 * numbers.length).fill(0)]; // of 32 units the first alone
  const record = new Record(weights({
    "r.near.weight": [[32, 2, 3, 3], ...first(...kernel, ...edges)], "r.near.bias": [[32], ...first(-30)],
    "r.light.weight": [[32, 1], ...first(3)], "r.output.weight": [[1, 32, 1, 1], ...first(2)],
  }), "r", 2, 1, { ofAction: 1, reach: 1 }, 1);
  const q = Float32Array.of(100, 200);
  record.add([7, 0.5, 3], [0.25], q);
  near(q, [100 + 2 * (2 * 0.5 + 20 + 4 * 3 + 40 - 30 + 0.75), 200 + 2 * (0.5 + 10 + 2 * 3 + 20 - 30 + 0.75)]);
});

/** A replay of a network over one number that is seen: its header and weights, of names and [shape, ...numbers]. */
function replay(network, all, memory = []) {
  const header = { network, world: world({ seen: 1 }), memory: memory.map(([name, units]) => ({ name, units })) };
  header.weights = Object.entries(all).map(([name, [shape]]) => ({ name, shape }));
  const numbers = ([name, [shape, ...rest]]) => [name, { shape, numbers: Float32Array.from(rest) }];
  return { header, weights: new Map(Object.entries(all).map(numbers)) };
}

const LAYERS = { kind: "feed_forward", hidden: [2], layer_norm: true, dueling: true, previous_action: true };
const OF_LAYERS = { // the first unit is what is seen, the second the first action
  "body.0.0.weight": [[2, 3], 1, 0, 0, 0, 1, 0], "body.0.0.bias": [[2], 0, 0],
  "body.0.1.weight": [[2], 2, 1], "body.0.1.bias": [[2], 1, 0],
  "value.output.weight": [[3, 2], 1, 0, 0, 1, 0, 0], "value.output.bias": [[3], 0, 1, 5],
};
const CELL = { kind: "recurrent", encoder: { kind: "joint", width: 1 }, cell: "gru", hidden: 1, head: 1 };
const OF_CELL = { // what is hidden goes half of the way to the tanh of what is seen, and is what both actions are worth
  "encoder.layer.0.weight": [[1, 1], 1], "encoder.layer.0.bias": [[1], 0],
  "cell.weight_ih_l0": [[3, 1], 0, 0, 1], "cell.weight_hh_l0": [[3, 1], 0, 0, 0],
  "cell.bias_ih_l0": [[3], 0, 0, 0], "cell.bias_hh_l0": [[3], 0, 0, 0],
  "head.0.weight": [[1, 1], 1], "head.0.bias": [[1], 0],
  "value.output.weight": [[2, 1], 1, -1], "value.output.bias": [[2], 0, 0],
};
const remembering = () => makeNetwork(replay(CELL, OF_CELL, [["hidden", 1]]));

test("layers are normed, cut off below 0, and a dueling head takes the mean of its advantages off", () => {
  const network = makeNetwork(replay(LAYERS, OF_LAYERS));
  near(network.q([3], 1, []).q, [5 + 1, 5 - 1], 1e-5); // normed 1 and -1, then 3 and 0: advantages 3 and 1
  near(network.q([1], 0, []).q, [5, 5], 1e-5); // both are 1, so normed they are 0: advantages 1 and 1
  near(network.q([0], null, []).q, [5, 5], 1e-5);
  assert.deepEqual([network.initialMemory(), [...network.flatten([])], network.parts], [[], [], []]);
});

test("memory is handed on, is left as it was, and can be forgotten", () => {
  const network = remembering(), start = network.initialMemory();
  assert.deepEqual(network.parts, [{ name: "hidden", size: 1 }]);
  const one = network.q([HALF], null, start), two = network.q([HALF], null, one.memory);
  near(one.q, [0.25, -0.25]);
  near(two.q, [0.375, -0.375]);
  near(network.flatten(one.memory), [0.25]);
  for (const part of [null, 0]) near(network.q([HALF], null, network.forget(one.memory, part)).q, one.q);
  near(network.flatten(network.forget(one.memory, 1)), [0.25]); // no such part
});

test("the greedy action is the first of the best among those that are allowed", () => {
  const q = [1, 3, 3, 2];
  assert.deepEqual([0b1111, 0b1101, 0b1001, 0b0001, 0].map((allowed) => greedy(q, allowed)), [1, 2, 3, 0, 0]);
});

test("a network that is not known is told in a sentence, and one that is known is not", () => {
  const fits = replay(CELL, OF_CELL, [["hidden", 1]]).header, said = (changes) => whyUnknown({ ...fits, ...changes });
  assert.equal(whyUnknown(fits), null);
  const { "head.0.bias": _, ...lacking } = OF_CELL;
  const cases = [
    [{ weights: null }, /its weights, which are not in this file/],
    [{ network: { ...CELL, kind: "transformer" } }, /a network of the kind transformer/],
    [{ network: { ...CELL, cell: "mgu" } }, /a cell of the kind mgu/],
    [{ network: { ...CELL, encoder: { kind: "image" } } }, /an encoder of the kind image/],
    [{ network: { ...CELL, memory: [{ kind: "stack" }] } }, /a memory of the kind stack/],
    [{ network: { ...CELL, memory: [{ kind: "counter", most: 2 ** 40 }] } }, /a memory whose most is 1099511627776/],
    [{ network: { ...CELL, attention: 4 } }, /the key attention of a network/],
    [{ network: { ...CELL, sightings: true } }, /reads underfoot, which is not observed/],
    [{ network: { ...CELL, hidden: 2 } }, /weight cell.weight_ih_l0 is 3 x 1 and not 6 x 1/],
    [{ weights: replay(CELL, lacking).header.weights }, /weight head.0.bias is none and not 1/],
    [{ weights: [...fits.weights, { name: "more", shape: [1] }] }, /the weight more/],
    [{ memory: [{ name: "hidden", units: 2 }] }, /a memory of 2 numbers where the network keeps 1/],
    [{ world: {} }, /such a header/],
  ];
  for (const [changes, what] of cases) assert.match(said(changes), what);
  assert.throws(() => makeNetwork(replay({ ...CELL, cell: "mgu" }, OF_CELL)), /^Error: This page cannot compute/);
});

test("a recorded life is checked step by step, up to the first number that differs", () => {
  const network = remembering();
  const walk = { begin: () => 0, observe: () => [HALF], step: (state) => ({ state: state + 1 }) };
  const blank = [[0.25, -0.25], [0.25, -0.25]];
  const columns = (q, memory) => ({ position: [[0, 0]], action: [[0], [0]], q, memory, q_blank: blank });
  const track = (numbers) => ({
    frames: 3, life: { places: [] }, at: (name, time) => numbers[name][time] ?? null,
    value: (name, time) => numbers[name][time][0],
    replay: { columns: new Map(Object.keys(numbers).map((name) => [name, { scale: [0.02, 0.02] }])) },
  });
  const q = [[0.255, -0.25], [0.375, -0.38]];
  const same = checkNetwork(track(columns(q, [[0], [0.24], [0.37]])), walk, network);
  near([same.largest], [0.005]);
  assert.deepEqual([same.equal, same.steps, same.firstDifference], [true, 2, null]);
  const other = checkNetwork(track(columns([[0.25, -0.25], [0.375, -0.4]], [[0], [0.25], [0.375]])), walk, network);
  assert.deepEqual([other.equal, other.steps], [false, 1]);
  assert.deepEqual(other.firstDifference, { frame: 1, column: "q", component: 1, recorded: -0.4, here: -0.375 });
  const last = checkNetwork(track(columns(q, [[0], [0.25], [0.5]])), walk, network);
  assert.deepEqual([last.equal, last.steps, last.firstDifference.frame], [false, 2, 2]);
});
