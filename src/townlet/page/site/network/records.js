// How what is known of each action is read: in the same way for all of them, as a number to add to its value.

import { Linear } from "townlet/network/layers.js";

const UNITS = 32; // of the layer that reads an action's record

/**
 * What a memory that tells actions apart adds to their values. Actions of a town stand in a row, so of each kernel of
 * PyTorch's convolution over a grid, [units, numbers, side, side], no column but the middle one meets any of them.
 */
export class Record {
  /** `start`: where in what memories read its records lie; `memory`: whose they are; `context`: width of the head. */
  constructor(weights, name, actions, start, memory, context) {
    this.actions = actions;
    this.start = start;
    this.numbers = memory.ofAction;
    this.reach = memory.reach;
    this.side = 2 * memory.reach + 1;
    this.near = weights.take(`${name}.near.weight`, UNITS, this.numbers + 1, this.side, this.side);
    this.bias = weights.take(`${name}.near.bias`, UNITS);
    this.light = new Linear(weights.take(`${name}.light.weight`, UNITS, context), null, context, UNITS);
    this.output = weights.take(`${name}.output.weight`, 1, UNITS, 1, 1);
    this.lit = new Float32Array(UNITS);
  }

  /** Add to q [actions] what is known, of a row of what memories read and of what the head makes of everything. */
  add(row, context, q) {
    this.light.run(context, 0, this.lit, 0);
    for (let action = 0; action < this.actions; action++) {
      let sum = 0;
      for (let unit = 0; unit < UNITS; unit++) {
        const known = this.bias[unit] + this.lit[unit] + this.#around(row, unit, action);
        if (known > 0) sum += this.output[unit] * known;
      }
      q[action] += sum;
    }
  }

  #around(row, unit, action) {
    const { actions, start, numbers, reach, side, near } = this;
    let sum = 0;
    for (let other = Math.max(action - reach, 0); other <= Math.min(action + reach, actions - 1); other++) {
      const kernel = unit * (numbers + 1) * side * side + (other - action + reach) * side + reach;
      for (let number = 0; number < numbers; number++) {
        sum += near[kernel + number * side * side] * row[start + other * numbers + number];
      }
      sum += near[kernel + numbers * side * side]; // a 1 wherever there is an action, which tells edges
    }
    return sum;
  }
}
