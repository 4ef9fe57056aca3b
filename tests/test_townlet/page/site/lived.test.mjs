// Lives of the page's own: that one which leaves another unchanged is the same, and what changes by hand do to it.

import assert from "node:assert/strict";
import test from "node:test";

import { read, written } from "townlet/track/changes.js";
import { changed, fork } from "townlet/track/lived.js";
import { EditError } from "townlet/world/edits.js";
import { E, NOTHING, REST, USE, W } from "./town.mjs";
import { ENDED, mind, recorded } from "./counted.mjs";

const all = (track, name) => Array.from({ length: track.frames }, (_, time) => track.at(name, time));
const lived = (life) => { life.liveUntil(99); return life; };

test("a life that leaves another unchanged is the same to its end, in every column", () => {
  for (const frame of [0, 1, 3]) {
    const life = lived(fork(mind, recorded(), frame));
    for (const name of Object.keys(ENDED)) assert.deepEqual(all(life, name), [...ENDED[name], null].slice(0, 5), name);
    assert.deepEqual({ ...life.life, total_reward: null },
      { agent: 3, map: 0, places: [[0, 0], [2, 1]], length: 4, ended: "death", cause: 0, total_reward: null });
    assert.equal(life.life.total_reward, 3 - 3);
    assert.ok(life.over && !life.growing);
  }
});

test("it has no frame that was not lived yet, and no step of its last frame", () => {
  const life = fork(mind, recorded(), 1);
  assert.deepEqual([life.frames, life.life.length, life.life.ended, life.growing], [2, 1, "cut", true]);
  assert.deepEqual([life.at("position", 1), life.at("position", 2), life.at("action", 0), life.at("action", 1)],
    [[2, 1], null, [E], null]);
  assert.equal(life.value("meters", 1, 2), 0.5);
  assert.equal(life.value("walls", 1), null);
  life.liveUntil(3);
  assert.equal(life.frames, 4);
});

test("what is forgotten is zero from there on, and what was before stays", () => {
  const life = fork(mind, recorded(), 2, [{ frame: 2, kind: "forget", numbers: [] }]);
  life.liveUntil(4);
  assert.deepEqual(all(life, "memory"), [[0, 0], [1, 10], [0, 0], [1, 10]]);
  assert.deepEqual([life.at("action", 2), life.life.ended], [[E], "death"]); // goes east again, without water for it
  assert.deepEqual(life.changes, [{ frame: 2, what: "memory forgotten" }]);
  assert.equal(life.label, "fork of agent 3 at step 2 (memory forgotten)");
});

test("a part of the memory is forgotten by itself", () => {
  const life = fork(mind, recorded(), 2, [{ frame: 2, kind: "part", numbers: [1] }]);
  assert.deepEqual(life.at("memory", 2), [2, 0]);
  assert.equal(life.changes[0].what, "tens of the memory forgotten");
});

test("a change is seen in the frame where it is made, and in none before", () => {
  for (const [kind, numbers, column, comes, what] of [
    ["agent", [3, 2], "position", [3, 2], "agent put on column 4, row 3"],
    ["meter", [2, 25], "meters", [0.375, 1, 0.25, 1], "coin set to 25%"],
    ["hour", [7], "tick", [7], "clock set to 21:00"],
  ]) {
    const life = fork(mind, recorded(), 2, [{ frame: 2, kind, numbers }]);
    assert.deepEqual(life.at(column, 2), comes);
    assert.deepEqual(life.at(column, 1), ENDED[column][1]);
    assert.equal(life.changes[0].what, what);
  }
});

test("a house that is moved stands there from that frame on", () => {
  const life = fork(mind, recorded(), 2, [{ frame: 2, kind: "place", numbers: [1, 0, 2] }]);
  assert.deepEqual([life.places(1), life.places(2)], [[[0, 0], [2, 1]], [[0, 0], [0, 2]]]);
  assert.deepEqual(life.life.places, [[0, 0], [2, 1]]);
  const gone = fork(mind, recorded(), 2, [{ frame: 2, kind: "remove", numbers: [0] }]);
  assert.deepEqual(gone.places(2), [null, [2, 1]]);
  assert.deepEqual([life.changes[0].what, gone.changes[0].what], ["Mill moved to column 1, row 3", "Well removed"]);
});

test("a change further on takes the place of what would have come, and keeps what was changed before", () => {
  const life = lived(fork(mind, recorded(), 1, [{ frame: 1, kind: "meter", numbers: [0, 100] }]));
  const again = lived(changed(mind, life, 3, [{ frame: 3, kind: "forget", numbers: [] }]));
  assert.deepEqual(again.changes.map(({ frame }) => frame), [1, 3]);
  assert.deepEqual(all(again, "memory").slice(2, 5), [[2, 20], [0, 0], [1, 10]]);
  assert.deepEqual([again.from, again.parent.kind], [1, "recorded"]);
  assert.equal(again.label, "fork of agent 3 at step 1 (water set to 100%, and 1 more)");
  assert.equal(life.at("memory", 3)[0], 3); // the one before is as it was
});

test("a life that leaves one of the page's own has its frames up to there", () => {
  const life = lived(fork(mind, recorded(), 1, [{ frame: 1, kind: "meter", numbers: [0, 100] }]));
  const second = lived(fork(mind, life, 2));
  assert.deepEqual(all(second, "meters"), all(life, "meters"));
  assert.deepEqual(fork(mind, life, 0).changes, []); // it leaves before the change
  assert.deepEqual([second.label, second.from], ["fork of agent 3's fork at step 2 (water set to 100%)", 2]);
});

test("a person lives by actions, and the network looks on", () => {
  const life = fork(mind, recorded(), 0, [], "person");
  assert.ok(!life.growing && life.label === "you, from the start of agent 3");
  life.live(W);
  life.live(REST);
  assert.deepEqual([life.at("position", 1), life.at("action", 1), life.at("memory", 2)], [[0, 1], [REST], [2, 20]]);
  assert.deepEqual(life.at("q", 0), ENDED.q[0]);
});

test("a life that has ended is not gone on from, nor from a step that it has not", () => {
  assert.throws(() => fork(mind, recorded(), 4), EditError);
  assert.throws(() => fork(mind, recorded(), 9), EditError);
  assert.throws(() => fork(mind, recorded(), 2, [{ frame: 2, kind: "place", numbers: [1, 0, 0] }]), EditError);
  assert.throws(() => fork(mind, recorded(), 2, [{ frame: 2, kind: "remove", numbers: [7] }]), EditError);
  assert.throws(() => fork(mind, recorded(), 2, [{ frame: 2, kind: "part", numbers: [7] }]), EditError);
});

test("where the recording alone stops, the life goes on", () => {
  const cut = recorded({ length: 2, ended: "cut", cause: null });
  const life = lived(fork(mind, cut, 2));
  assert.deepEqual(all(life, "meters"), ENDED.meters);
});

test("without a network a person can live all the same, and nothing is said of values", () => {
  const alone = { world: mind.world, network: null }, life = fork(alone, recorded(), 2, [], "person");
  life.live(USE);
  assert.deepEqual([life.at("completed", 2), life.has("q"), life.at("q", 1)], [[NOTHING], false, null]);
  assert.equal(life.has("memory"), false);
  assert.throws(() => fork(alone, recorded(), 2, [{ frame: 2, kind: "forget", numbers: [] }]), EditError);
});

test("changes are written into an address and read from it", () => {
  const changes = [
    { frame: 120, kind: "forget", numbers: [] }, { frame: 150, kind: "place", numbers: [2, 4, 5] },
    { frame: 150, kind: "meter", numbers: [0, 0] },
  ];
  assert.equal(written(changes), "120-forget.150-place-2-4-5.150-meter-0-0");
  assert.deepEqual(read(written(changes)), changes);
  for (const wrong of [
    "", "120", "120-dance", "x-forget", "120-forget-1", "9-place-1-2", "5-live.4-live", "1-meter--1-2", "1-constructor",
    "1-forget.".repeat(200), "9999999-live",
  ]) {
    assert.equal(read(wrong), null, wrong);
  }
});
