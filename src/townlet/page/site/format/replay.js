// A replay file as the page reads it: see docs/replays.md. Numbers stay as they are stored until one is asked for.

import { mistakeOf } from "townlet/format/checks.js";
import { misshapen } from "townlet/format/shape.js";

export const FORMAT = "townlet-replay/1";
const LENGTH = 4; // bytes before the header that say how long it is
const MOST_FILE = 64 * 2 ** 20, MOST_INFLATED = 130 * 2 ** 20; // so that a file that lies about its size fills no memory
const TYPES = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

/** A file that cannot be read; its message is one sentence for a person. */
export class ReplayError extends Error {}

/** A whole replay: `header` as in configs/replay.schema.json, numbers by `columns` and `weights`. */
export class Replay {
  constructor(header, body) {
    this.header = header;
    this.columns = new Map(header.columns.map((row) => [row.name, columnOf(row, body)]));
    this.weights = header.weights === null ? null : new Map(header.weights.map((row) => [row.name, weightOf(row, body)]));
  }
}

/** Read the bytes of a file, an ArrayBuffer. Throws ReplayError, whatever they are. */
export async function readReplay(bytes) {
  if (bytes.byteLength === 0) throw new ReplayError("This file is empty; expected a replay of Townlet.");
  if (bytes.byteLength > MOST_FILE) throw new ReplayError("This file is too large; expected a replay of at most 64 MB.");
  const inflated = await inflate(bytes), header = headerOf(inflated), wrong = misshapen(header);
  if (wrong !== null) throw new ReplayError(`This replay is damaged: in its header ${wrong}.`);
  if (header.lives.length === 0) throw new ReplayError("This replay holds no lives.");
  const replay = madeOf(inflated, header), mistake = mistakeOf(replay);
  if (mistake !== null) throw new ReplayError(`This replay is damaged: ${mistake}.`);
  return replay;
}

function madeOf(inflated, header) {
  try {
    return replayOf(inflated, header);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new ReplayError("This replay is damaged: its header does not say where its numbers lie.");
  }
}

function replayOf(inflated, header) {
  const start = LENGTH + new DataView(inflated).getUint32(0, true);
  const parts = header.columns.map(({ type, ...row }) => ({ ...row, bytes: TYPES[type].BYTES_PER_ELEMENT }));
  for (const row of header.weights ?? []) parts.push({ ...row, bytes: 4 });
  for (const { name, shape, offset, bytes } of parts) {
    if (!(start + offset + shape.reduce((a, b) => a * b, bytes) <= inflated.byteLength)) {
      throw new ReplayError(`This replay is damaged: ${name} lies beyond its end.`);
    }
  }
  return new Replay(header, inflated.slice(start));
}

async function inflate(bytes) {
  const parts = [];
  let size = 0;
  try {
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      parts.push(value);
      size += value.byteLength;
      if (size > MOST_INFLATED) break;
    }
  } catch {
    throw new ReplayError("This is no whole replay of Townlet: its bytes are damaged, cut off, or of another kind of file.");
  }
  if (size > MOST_INFLATED) throw new ReplayError("This file inflates to more than 130 MB; no replay of Townlet is so large.");
  return new Blob(parts).arrayBuffer();
}

function headerOf(inflated) {
  const damaged = new ReplayError("This is no replay of Townlet: it has no header that can be read.");
  if (inflated.byteLength < LENGTH) throw damaged;
  const length = new DataView(inflated).getUint32(0, true);
  if (LENGTH + length > inflated.byteLength || length % 4 !== 0) throw damaged;
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(inflated, LENGTH, length)));
  } catch {
    throw damaged;
  }
  if (typeof header?.format !== "string") throw damaged;
  if (header.format !== FORMAT) {
    throw new ReplayError(`This page reads ${FORMAT}, and the file is ${header.format.slice(0, 40)}: of another version.`);
  }
  return header;
}

function columnOf(row, body) {
  const [lives, components, times] = row.shape;
  return { ...row, lives, components, times, stored: new TYPES[row.type](body, row.offset, lives * components * times) };
}

function weightOf(row, body) {
  const count = row.shape.reduce((a, b) => a * b, 1);
  return { shape: row.shape, numbers: new Float32Array(body, row.offset, count) };
}

/** The value of a component of a column at a time of a life: low + scale * stored, or the whole number itself. */
export function valueOf(column, life, component, time) {
  const stored = column.stored[(life * column.components + component) * column.times + time];
  return column.low === null ? stored : column.low[component] + column.scale[component] * stored;
}
