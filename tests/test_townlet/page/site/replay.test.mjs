// What the page reads of a file, and what it says of one that is none.

import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";

import { FORMAT, ReplayError, readReplay } from "townlet/format/replay.js";
import { RecordedTrack } from "townlet/track/recorded.js";

/** A file of one life of two steps: the tick of three frames, and a reward of one term. */
function file(changes = {}) {
  const header = {
    format: FORMAT,
    lives: [{ agent: 3, length: 2 }],
    columns: [
      { name: "tick", type: "uint8", shape: [1, 1, 3], every: 1, offset: 0, low: null, scale: null },
      { name: "reward", type: "uint16", shape: [1, 1, 2], every: 1, offset: 4, low: [-1], scale: [0.5] },
    ],
    weights: [{ name: "head", shape: [1], offset: 8 }],
    ...changes,
  };
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((4 - (text.length % 4)) % 4, " ")]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(padded.length);
  const body = Buffer.from([0, 1, 2, 0, 0, 0, 4, 0, 0, 0, 128, 63]);
  return Buffer.concat([length, padded, body]);
}

const read = (bytes) => readReplay(new Uint8Array(bytes).buffer);

test("numbers are low and scale times what is stored, whole ones are themselves", async () => {
  const replay = await read(deflateSync(file()));
  const track = new RecordedTrack(replay, 0);
  assert.equal(track.frames, 3);
  assert.deepEqual([0, 1, 2].map((frame) => track.value("tick", frame)), [0, 1, 2]);
  assert.deepEqual([0, 1].map((step) => track.at("reward", step)), [[-1], [1]]);
  assert.deepEqual([...replay.weights.get("head").numbers], [1]);
});

test("what is not recorded is null: times before and after a life, and columns that are not there", async () => {
  const track = new RecordedTrack(await read(deflateSync(file())), 0);
  assert.deepEqual([track.value("tick", -1), track.value("tick", 3), track.at("reward", 2), track.at("q", 0)], [null, null, null, null]);
});

test("a file that cannot be read is told in one sentence", async () => {
  const whole = deflateSync(file());
  const cases = [
    [Buffer.alloc(0), /empty/],
    [Buffer.from("<html></html>"), /another kind of file/],
    [whole.subarray(0, whole.length - 9), /cut off/],
    [deflateSync(Buffer.from("ab")), /no header/],
    [deflateSync(Buffer.from([255, 255, 255, 255])), /no header/],
    [deflateSync(file({ format: "townlet-replay/2" })), /reads townlet-replay\/1.*another version/],
    [deflateSync(file({ weights: [{ name: "head", shape: [2], offset: 8 }] })), /damaged: head lies beyond/],
    [deflateSync(file({ weights: [{ name: "head", shape: [1], offset: 6 }] })), /damaged: its header/],
    [deflateSync(file({ columns: [{ name: "tick", type: "float8", shape: [1, 1, 3], offset: 0 }] })), /damaged: its header/],
    [deflateSync(file({ columns: undefined })), /damaged: its header/],
    [deflateSync(file({ lives: [] })), /holds no lives/],
  ];
  for (const [bytes, said] of cases) await assert.rejects(read(bytes), (error) => error instanceof ReplayError && said.test(error.message));
});
