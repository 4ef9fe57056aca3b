// Recurrent cells, as PyTorch computes them: `step(encoded, before, after)`, with memory as a list of rows.

import { Linear, sigmoid } from "townlet/network/layers.js";
import { NetworkError } from "townlet/network/weights.js";

/** The cell that a level names, of `units` units over `before` numbers. Throws NetworkError. */
export function makeCell(weights, kind, before, units) {
  if (kind === "lstm") return new Lstm(weights, before, units);
  if (kind === "gru") return new Gru(weights, before, units);
  throw new NetworkError(`a cell of the kind ${kind}`);
}

/** What cells share: gates, of what comes in and of what was hidden, each [gates * units]. */
class Cell {
  constructor(weights, before, units, gates) {
    const linear = (side, width) => new Linear(
      weights.take(`cell.weight_${side}_l0`, gates * units, width), weights.take(`cell.bias_${side}_l0`, gates * units),
      width, gates * units);
    this.units = units;
    this.ofInput = linear("ih", before);
    this.ofHidden = linear("hh", units);
    this.fromInput = new Float32Array(gates * units);
    this.fromHidden = new Float32Array(gates * units);
  }

  project(encoded, hidden) {
    this.ofInput.run(encoded, 0, this.fromInput, 0);
    this.ofHidden.run(hidden, 0, this.fromHidden, 0);
  }
}

/** Long short-term memory; its memory is what is hidden, then its cell. */
class Lstm extends Cell {
  constructor(weights, before, units) {
    super(weights, before, units, 4);
    this.sizes = [units, units];
  }

  step(encoded, before, after) {
    const { units, fromInput, fromHidden } = this;
    this.project(encoded, before[0]);
    for (let gate = 0; gate < 4 * units; gate++) fromInput[gate] += fromHidden[gate];
    for (let unit = 0; unit < units; unit++) {
      const takes = sigmoid(fromInput[unit]), keeps = sigmoid(fromInput[units + unit]);
      const cell = keeps * before[1][unit] + takes * Math.tanh(fromInput[2 * units + unit]);
      after[1][unit] = cell;
      after[0][unit] = sigmoid(fromInput[3 * units + unit]) * Math.tanh(cell);
    }
  }
}

/** Gated recurrent units (Cho et al., 2014); their memory is what is hidden. */
class Gru extends Cell {
  constructor(weights, before, units) {
    super(weights, before, units, 3);
    this.sizes = [units];
  }

  step(encoded, before, after) {
    const { units, fromInput, fromHidden } = this;
    this.project(encoded, before[0]);
    for (let unit = 0; unit < units; unit++) {
      const reads = sigmoid(fromInput[unit] + fromHidden[unit]);
      const keeps = sigmoid(fromInput[units + unit] + fromHidden[units + unit]);
      const fresh = Math.tanh(fromInput[2 * units + unit] + reads * fromHidden[2 * units + unit]);
      after[0][unit] = fresh + keeps * (before[0][unit] - fresh);
    }
  }
}
