// What the page reads of a file, and what it says of one that is none.

import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";

import { ReplayError, readReplay } from "townlet/format/replay.js";
import { misshapen } from "townlet/format/shape.js";
import { RecordedTrack } from "townlet/track/recorded.js";
import { apart, fileOf, wholeReplay } from "./whole.mjs";

/** A file in whose header something is changed. */
function changed(change, columns) {
  const whole = wholeReplay(columns);
  change(whole.header);
  return fileOf(whole);
}

const says = (bytes, said) =>
  assert.rejects(readReplay(bytes), (error) => error instanceof ReplayError && (said.test?.(error.message) ?? error.message === said));

test("numbers are low and scale times what is stored, whole ones are themselves", async () => {
  const replay = await readReplay(fileOf(wholeReplay()));
  const track = new RecordedTrack(replay, 0);
  assert.equal(track.frames, 3);
  assert.deepEqual([0, 1, 2].map((frame) => track.value("tick", frame)), [0, 1, 2]);
  assert.deepEqual([0, 1].map((step) => track.at("reward", step)), [[-1, -1], [1, -1]]);
  assert.deepEqual([...replay.weights.get("head").numbers], [1]);
});

test("what is not recorded is null: times before and after a life, and columns that are not there", async () => {
  const track = new RecordedTrack(await readReplay(fileOf(wholeReplay())), 0);
  assert.deepEqual([track.value("tick", -1), track.value("tick", 3), track.at("reward", 2), track.at("memory", 0)],
    [null, null, null, null]);
});

test("a file that cannot be read is told in one sentence", async () => {
  const whole = Buffer.from(fileOf(wholeReplay()));
  const moved = (by) => changed(({ weights }) => { weights[0].offset += by; });
  for (const [bytes, said] of [
    [Buffer.alloc(0), /empty/],
    [Buffer.from("<html></html>"), /another kind of file/],
    [whole.subarray(0, whole.length - 9), /cut off/],
    [deflateSync(Buffer.from("ab")), /no header/],
    [deflateSync(Buffer.from([255, 255, 255, 255])), /no header/],
    [changed((said) => { said.format = "townlet-replay/2"; }), /reads townlet-replay\/1.*another version/],
    [moved(4), /damaged: head lies beyond/],
    [moved(-2), /its header does not say where its numbers lie/],
    [changed((said) => { said.columns[0].type = "float8"; }), /its header does not say where its numbers lie/],
    [changed((said) => { said.lives = []; }), /holds no lives/],
  ]) await says(new Uint8Array(bytes).buffer, said);
});

test("a header of which anything is missing is told, by its place; what may be missing is what it is without", async () => {
  const whole = wholeReplay().header, optional = { env_steps: 0, maps: "evaluation", every: 1 };
  for (const [path, holder, key] of keysOf(whole)) {
    if (ANY.test(path) || path.endsWith("]")) continue;
    const header = apart(whole);
    delete at(header, holder)[key];
    const wrong = misshapen(header);
    if (wrong === null) assert.equal(at(header, holder)[key], optional[key] ?? null, path);
    else assert.ok(wrong.startsWith(`${path} should `), wrong);
  }
  await says(changed((said) => { delete said.world.meters[1].passive; }),
    "This replay is damaged: in its header world.meters[1].passive should be a number.");
});

test("a header in which anything is of another kind is told, but where that may be", () => {
  const whole = wholeReplay().header, others = [null, "x", 7, 1.5, true, [[1, 2, 3]], { a: null }];
  for (const [path, holder, key] of keysOf(whole)) {
    const kinds = others.map((other) => {
      const header = apart(whole);
      at(header, holder)[key] = other;
      return misshapen(header) === null;
    });
    assert.ok(kinds.filter(Boolean).length <= 3, `${path}: ${kinds}`); // a number that may be missing
  }
});

test("parts that do not fit each other are told", async () => {
  const wrong = (change, said, columns) => says(changed(change, columns), `This replay is damaged: ${said}.`);
  const died = [{ length: 2, ended: "death", cause: 0 }];
  await wrong(({ world }) => { world.width = 65; }, "its map has 65x3 cells");
  await wrong(({ world }) => { world.drains = [{ meter: 0, by: 4, rate: 1, at_full: 1, at_empty: 1 }]; },
    "its rules name meter 4, of 4");
  await wrong(({ world }) => { world.affordances[0].bonus = [0]; }, "its places do not say of 4 meters what they do");
  await wrong(({ lives }) => { lives[0].places.pop(); }, "one of its lives does not say where 2 places stand");
  await wrong(({ lives }) => { lives[0].ended = "death"; }, "one of its lives ends by what it does not name");
  await wrong(({ lives }) => { lives[0].length = 3; }, "its column tick should have 1x1x4 numbers");
  await wrong(({ columns }) => { columns.pop(); }, "it has no column q");
  await wrong(({ columns }) => { columns.at(-1).low.pop(); }, "its column q is not scaled for 6 components");
  await wrong(() => {}, "its column action names what is not there", { action: [[0, 6]] });
  await wrong((said) => { said.planner = [...died, ...died]; }, "it has 2 lives of a planner for 1");
  await wrong((said) => { said.planner = died; }, "it has no column planned");
  await wrong((said) => { said.planner = died; }, "its column planned should have 1x1x2 numbers", { planned: [[0, 0, 0]] });
});

test("names that are those of every object are names like others", async () => {
  const named = changed(({ world, origin }) => {
    world.reward.wellbeing = { constructor: 1, hasOwnProperty: 2 };
    origin.versions = { toString: "1" };
  });
  assert.deepEqual((await readReplay(named)).header.origin.versions, { toString: "1" });
});

const ANY = /^(level\.yardsticks|origin\.versions)\./; // what is there may be any

/** Every key that is in a header, [its place as a sentence has it, the keys to what holds it, it]. */
function keysOf(value, holder = [], path = "") {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((key) => {
    const here = Array.isArray(value) ? `${path}[${key}]` : `${path}${path && "."}${key}`;
    return [[here, holder, key], ...keysOf(value[key], [...holder, key], here)];
  });
}

function at(header, keys) {
  return keys.reduce((value, key) => value[key], header);
}
