// Associative memories: what was seen is found again by what it was seen with.

import { Linear, sigmoid } from "townlet/network/layers.js";
import { NetworkError, shareOf } from "townlet/network/weights.js";

const LEAST = 1e-12; // length below which PyTorch's `normalize` leaves a row as it is divided by that
const SLOWEST = 1.5, STEEP = 12; // as in Python: radians of the first phase over the map, and how steep a way is

/**
 * A matrix S [keys, values] that is written by the delta rule: S <- keep S, u = b (v - S' k), S <- S + k u'.
 *
 * Where a level says `whole`, b is 1. `keyed` says whether keys are learned; else a kind has a `pointAt` of its own.
 */
export class DeltaRule {
  learned = true;

  constructor(weights, name, layout, inputs, config, values, shown, keyed = true) {
    const { keys } = config;
    if (!Number.isInteger(keys) || !Number.isInteger(values)) {
      throw new NetworkError(`a memory of ${keys} keys and ${values} values`);
    }
    this.keys = keys;
    this.values = values;
    this.keep = shareOf(config, "keep");
    this.shares = (config.at ?? null) !== null; // whether keys are shares that add up to 1
    if (this.shares) layout.part(config.at);
    this.whole = Boolean(config.whole);
    // A key, then what is shown, then the strength; each where it is learned.
    this.address = Linear.of(weights, `${name}.address`, inputs.width, keys * keyed + shown + !this.whole);
    this.row = new Float32Array(this.address.after);
    this.key = keyed ? this.row.subarray(0, keys) : new Float32Array(keys);
    this.value = new Float32Array(values);
    this.found = new Float32Array(values);
    this.sizes = [keys * values];
  }

  step(row, [before], [held], into, to) {
    this.address.run(row, 0, this.row, 0);
    this.pointAt(row);
    this.show(row);
    this.#write(before, held, this.whole ? 1 : sigmoid(this.row[this.row.length - 1]));
    this.read(held, into, to);
  }

  /** The key of this step, of length 1. */
  pointAt() {
    if (this.shares) softmax(this.key, this.keys);
    normalise(this.key, 0, this.keys);
  }

  #write(before, held, strength) {
    const { keys, values, keep, key: pointed, value, found } = this;
    found.fill(0);
    for (let key = 0, at = 0; key < keys; key++) {
      for (let index = 0; index < values; index++, at++) found[index] += pointed[key] * keep * before[at];
    }
    for (let key = 0, at = 0; key < keys; key++) {
      for (let index = 0; index < values; index++, at++) {
        held[at] = keep * before[at] + pointed[key] * strength * (value[index] - found[index]);
      }
    }
  }
}

/** Values that are learned linear functions of what comes in, read by a query made as the keys are: S' q. */
export class Delta extends DeltaRule {
  constructor(weights, name, layout, inputs, config) {
    super(weights, name, layout, inputs, config, config.values, config.values + config.keys);
    this.width = config.values;
  }

  show() {
    for (let index = 0; index < this.values; index++) this.value[index] = this.row[this.keys + index];
    normalise(this.row, this.keys + this.values, this.keys);
  }

  read(held, into, to) {
    const { keys, values, row } = this, query = keys + values;
    for (let index = 0; index < values; index++) {
      let sum = 0;
      for (let key = 0; key < keys; key++) sum += row[query + key] * held[key * values + index];
      into[to + index] = sum;
    }
  }
}

/** Values that are cosine and sine of angles, read relative to today's: how far off what is held lies, and whither. */
export class DeltaPhases extends DeltaRule {
  constructor(weights, name, layout, inputs, config) {
    const place = layout.parts.get("position") ?? null;
    super(weights, name, layout, inputs, config, 2 * config.values, place === null ? config.values : 0);
    this.place = place;
    this.layout = layout;
    this.phases = config.values;
    this.width = 3 * this.keys * this.phases;
  }

  /** Today's angles: of the coordinates in turn, twice as fast each time, where there is a place; else as learned. */
  show(row) {
    const { phases, place, value } = this, at = place === null ? null : this.#coordinates(row);
    for (let phase = 0; phase < phases; phase++) {
      const angle = at === null ? this.row[this.keys + phase]
        : at[phase % 2] * SLOWEST * 2 ** Math.floor(phase / 2);
      value[phase] = Math.cos(angle);
      value[phases + phase] = Math.sin(angle);
    }
  }

  /** x and y in shares of the map: as they are observed, or of the cell that is 1 of all, row after row. */
  #coordinates(row) {
    const { place: { start, width }, layout: { columns, rows } } = this;
    if (width === 2) return [row[start], row[start + 1]];
    const cell = row.indexOf(1, start) - start;
    return [(cell % columns) / Math.max(columns - 1, 1), Math.floor(cell / columns) / Math.max(rows - 1, 1)];
  }

  read(held, into, to) {
    const { keys, phases, values, value } = this;
    for (let key = 0; key < keys; key++) {
      for (let phase = 0; phase < phases; phase++) {
        const cosine = held[key * values + phase], sine = held[key * values + phases + phase];
        const along = sine * value[phase] - cosine * value[phases + phase], at = to + 3 * key * phases + phase;
        into[at] = cosine * value[phase] + sine * value[phases + phase];
        into[at + phases] = along;
        into[at + 2 * phases] = Math.tanh(STEEP * along);
      }
    }
  }
}

function softmax(row, count) {
  let most = -Infinity, sum = 0;
  for (let index = 0; index < count; index++) most = Math.max(most, row[index]);
  for (let index = 0; index < count; index++) sum += row[index] = Math.exp(row[index] - most);
  for (let index = 0; index < count; index++) row[index] /= sum;
}

function normalise(row, at, count) {
  let squares = 0;
  for (let index = at; index < at + count; index++) squares += row[index] ** 2;
  const length = Math.max(Math.sqrt(squares), LEAST);
  for (let index = at; index < at + count; index++) row[index] /= length;
}
