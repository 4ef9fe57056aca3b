// The network of a replay, in plain JavaScript: made from its weights, and asked one step of one agent at a time.
//
// Memory is a list of rows, Float32Array each, in the order of `header.memory`; a step makes a new one, and leaves the
// one before as it was. So a view may keep any of them, and go on from it.

import { makeCell } from "townlet/network/cells.js";
import { makeEncoder } from "townlet/network/encoders.js";
import { Inputs, Layout } from "townlet/network/inputs.js";
import { Head, Layer } from "townlet/network/layers.js";
import { makeMemories } from "townlet/network/memories.js";
import { Record } from "townlet/network/records.js";
import { NetworkError, Weights, nothingBeside } from "townlet/network/weights.js";

const HEAD_KEYS = ["kind", "hidden", "layer_norm", "dueling", "previous_action", "directions"];
const RECURRENT_KEYS = [
  ...HEAD_KEYS, "encoder", "cell", "head", "memory_span", "sightings", "frontier", "memory", "skip",
];

/** The network of a replay. Throws NetworkError where this page does not know it: see `whyUnknown`. */
export function makeNetwork(replay) {
  return build(replay.header, replay.weights);
}

/** Why this page does not know the network of a header, in a sentence; null where it does. */
export function whyUnknown(header) {
  try {
    const blank = header.weights?.map(({ name, shape }) =>
      [name, { shape, numbers: new Float32Array(shape.reduce((a, b) => a * b, 1)) }]);
    build(header, blank === undefined ? null : new Map(blank));
  } catch (error) {
    if (error instanceof NetworkError) return error.message;
    return new NetworkError(`such a header (${error.message})`).message; // lacks what is in each replay
  }
  return null;
}

function build(header, weights) {
  if (weights === null) throw new NetworkError("its weights, which are not in this file");
  const taken = new Weights(weights), layout = new Layout(header.world), { kind } = header.network;
  const kinds = { feed_forward: FeedForward, recurrent: Recurrent };
  if (!Object.hasOwn(kinds, kind)) throw new NetworkError(`a network of the kind ${kind}`);
  const network = new kinds[kind](taken, header.network, layout);
  taken.end();
  const expected = header.memory.map(({ units }) => units).join(", "), got = network.sizes.join(", ");
  if (expected !== got) {
    throw new NetworkError(`a memory of ${expected || "no"} numbers where the network keeps ${got || "none"}`);
  }
  network.parts = header.memory.map(({ name, units }) => ({ name, size: units }));
  return network;
}

/** What both kinds of networks share. */
class QNetwork {
  parts = []; // {name, size} of each row of memory
  sizes = [];

  constructor(config, layout) {
    this.actions = layout.actions;
    this.inputs = new Inputs(layout, Boolean(config.previous_action), Boolean(config.directions));
  }

  /** The memory that an agent comes with: zeros. */
  initialMemory() {
    return this.sizes.map((size) => new Float32Array(size));
  }

  /** A memory without all that is in it, or without one of its `parts` alone. */
  forget(memory, part = null) {
    return memory.map((row, index) => (part === null || part === index ? new Float32Array(row.length) : row));
  }

  /** All numbers of a memory in a row, as the column `memory` has them. */
  flatten(memory) {
    const all = new Float32Array(this.sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (const row of memory) {
      all.set(row, at);
      at += row.length;
    }
    return all;
  }
}

/** A network over single observations, without memory. */
class FeedForward extends QNetwork {
  constructor(weights, config, layout) {
    super(config, layout);
    nothingBeside(config, HEAD_KEYS);
    let before = this.inputs.width;
    this.body = config.hidden.map((after, index) => {
      const layer = Layer.of(weights, `body.${index}`, before, after, Boolean(config.layer_norm));
      before = after;
      return layer;
    });
    this.rows = this.body.map(({ after }) => new Float32Array(after));
    this.head = new Head(weights, before, layout.actions, Boolean(config.dueling));
  }

  /** Q of an observation, Float32Array [actions], and the memory after it; `previousAction` null for none. */
  q(observation, previousAction, memory) {
    this.inputs.take(observation, previousAction);
    let row = this.inputs.row;
    for (const [index, layer] of this.body.entries()) {
      layer.run(row, 0, this.rows[index], 0);
      row = this.rows[index];
    }
    return { q: this.head.run(row), memory };
  }
}

/** An encoder, a cell, memories beside it, and a head over what all of them read. */
class Recurrent extends QNetwork {
  constructor(weights, config, layout) {
    super(config, layout);
    nothingBeside(config, RECURRENT_KEYS);
    this.encoder = makeEncoder(weights, config, layout, this.inputs);
    this.cell = makeCell(weights, config.cell ?? "lstm", this.encoder.width, config.hidden);
    this.beside = makeMemories(weights, config, layout, this.inputs);
    this.sizes = [this.cell, ...this.beside].flatMap(({ sizes }) => sizes);
    this.hidden = config.hidden;
    this.skip = Boolean(config.skip);
    const read = this.beside.reduce((sum, { width }) => sum + width, 0);
    const width = config.hidden + (this.skip ? this.encoder.width : 0) + read;
    this.context = Layer.of(weights, "head", width, config.head, Boolean(config.layer_norm));
    this.head = new Head(weights, config.head, layout.actions, Boolean(config.dueling));
    this.encoded = new Float32Array(this.encoder.width);
    this.row = new Float32Array(width); // what the head reads: hidden, encoded where it is, then what memories read
    this.lit = new Float32Array(config.head);
    this.records = this.#makeRecords(weights, config.head);
  }

  #makeRecords(weights, context) {
    const records = [];
    let at = this.row.length - this.beside.reduce((sum, { width }) => sum + width, 0);
    for (const one of this.beside) {
      const name = `records.readers.${records.length}`;
      if (one.ofAction !== undefined) records.push(new Record(weights, name, this.actions, at, one, context));
      at += one.width;
    }
    return records;
  }

  /** Q of an observation, Float32Array [actions], and the memory after it; `previousAction` null for none. */
  q(observation, previousAction, memory) {
    const { inputs, encoded, row, cell } = this, after = this.initialMemory();
    inputs.take(observation, previousAction);
    this.encoder.run(inputs.row, encoded, 0);
    let part = cell.sizes.length, at = this.hidden;
    cell.step(encoded, memory.slice(0, part), after.slice(0, part));
    row.set(after[0]);
    if (this.skip) {
      row.set(encoded, at);
      at += encoded.length;
    }
    for (const one of this.beside) {
      const end = part + one.sizes.length;
      one.step(inputs.row, memory.slice(part, end), after.slice(part, end), row, at);
      part = end;
      at += one.width;
    }
    this.context.run(row, 0, this.lit, 0);
    const q = this.head.run(this.lit);
    for (const record of this.records) record.add(row, this.lit, q);
    return { q, memory: after };
  }
}
