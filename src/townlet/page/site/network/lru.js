// Linear recurrent units: what is kept fades and turns at learned rates; with traces also what it owes to parameters.

import { Linear } from "townlet/network/layers.js";
import { NetworkError } from "townlet/network/weights.js";

/** Complex units, h <- a h + sqrt(1 - |a|^2) (B x); read are real and imaginary parts in turn. */
export class LinearRecurrentUnits {
  learned = true;

  constructor(weights, name, inputs, config) {
    const { units } = config;
    if (!Number.isInteger(units)) throw new NetworkError(`a memory of ${units} units`);
    this.units = units;
    this.traces = Boolean(config.traces);
    this.drive = Linear.of(weights, `${name}.drive`, inputs.width, 2 * units);
    const theta = weights.take(`${name}.theta`, units);
    const fades = weights.take(`${name}.nu`, units).map(Math.exp);
    const kept = fades.map((rate) => Math.exp(-rate));
    this.real = kept.map((share, unit) => share * Math.cos(theta[unit]));
    this.imaginary = kept.map((share, unit) => share * Math.sin(theta[unit]));
    this.gain = fades.map((rate) => Math.sqrt((2 * Math.tanh(rate)) / (1 + Math.tanh(rate)))); // sqrt(1 - share ** 2)
    this.driven = new Float32Array(2 * units);
    this.width = 2 * units;
    this.stride = this.traces ? 2 * (inputs.width + 3) : 2; // numbers kept of a unit: h, and of dh/da, dh/dW
    this.sizes = [units * this.stride];
  }

  step(row, [before], [held], into, to) {
    const { units, stride, driven, gain } = this;
    this.drive.run(row, 0, driven, 0);
    for (let unit = 0; unit < units; unit++) {
      const at = unit * stride;
      this.#turn(unit, before, held, at, driven[2 * unit] * gain[unit], driven[2 * unit + 1] * gain[unit]);
      into[to + 2 * unit] = held[at];
      into[to + 2 * unit + 1] = held[at + 1];
      if (this.traces) this.#trace(row, unit, before, held, at);
    }
  }

  /** One complex number turned, and something added to it. */
  #turn(unit, before, held, at, real, imaginary) {
    held[at] = before[at] * this.real[unit] - before[at + 1] * this.imaginary[unit] + real;
    held[at + 1] = before[at] * this.imaginary[unit] + before[at + 1] * this.real[unit] + imaginary;
  }

  /** dh/da <- a dh/da + h and, of each input x and of a 1 behind them, dh/dW <- a dh/dW + x. */
  #trace(row, unit, before, held, at) {
    this.#turn(unit, before, held, at + 2, before[at], before[at + 1]);
    for (let input = 0; input <= row.length; input++) {
      this.#turn(unit, before, held, at + 4 + 2 * input, input < row.length ? row[input] : 1, 0);
    }
  }
}
