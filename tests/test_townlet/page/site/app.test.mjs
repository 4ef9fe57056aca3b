// What the page shows at the moment, and how its address, its keys and the time that goes by change it.

import assert from "node:assert/strict";
import test from "node:test";

import { goTo, linkTo, readAddress, writeAddress } from "townlet/address.js";
import { App, SPEEDS } from "townlet/app.js";
import { KEYS, meaningOf } from "townlet/keys.js";

const EVENTS = [{ frame: 3, kind: "use", text: "one" }, { frame: 8, kind: "end", text: "two" }, { frame: 9, kind: "use", text: "three" }];

/** An app with two lives, of 10 steps by agent 4 and of 5 by agent 7; `told` are the changes that it told. */
function shown() {
  const app = new App((track) => (track.index === 0 ? EVENTS : [])), told = [];
  app.listen((what) => told.push(what));
  app.show({ header: { lives: [{ agent: 4, length: 10 }, { agent: 7, length: 5 }] } });
  return { app, told };
}

const press = (app, key, more = {}) => meaningOf({ key, ...more })?.[3](app, key);

test("a replay is shown from the first frame of its first life on", () => {
  const { app, told } = shown();
  assert.deepEqual([app.track.life.agent, app.frame, app.last, app.playing], [4, 0, 10, false]);
  assert.deepEqual(told, ["replay"]);
});

test("before a replay is there, nothing can be played", () => {
  const app = new App();
  app.play();
  app.advance(1);
  app.goToEvent(1);
  assert.deepEqual([app.track, app.playing, app.frame, app.events], [null, false, 0, []]);
});

test("time that goes by is steps at the speed, and what is left of it counts for the next", () => {
  const { app } = shown();
  app.setSpeed(4);
  app.play();
  app.advance(0.4); // 1.6 steps
  assert.equal(app.frame, 1);
  assert.ok(Math.abs(app.fraction - 0.6) < 1e-9);
  app.advance(0.1);
  assert.deepEqual([app.frame, Math.round(app.fraction * 1000)], [2, 0]);
  app.pause();
  app.advance(5);
  assert.equal(app.frame, 2);
});

test("playing stops at the last frame, and from there begins anew", () => {
  const { app } = shown();
  app.seek(9);
  app.play();
  app.advance(60);
  assert.deepEqual([app.frame, app.playing, app.fraction], [10, false, 0]);
  app.toggle();
  assert.deepEqual([app.frame, app.playing], [0, true]);
});

test("it plays until a frame that is asked for, and past it the next time", () => {
  const { app } = shown();
  app.play(3);
  app.advance(60);
  assert.deepEqual([app.frame, app.playing], [3, false]);
  app.play();
  app.advance(60);
  assert.equal(app.frame, 10);
});

test("who follows a shorter life stays as near to the frame as it reaches", () => {
  const { app, told } = shown();
  app.seek(8);
  app.follow(1);
  assert.deepEqual([app.track.life.agent, app.frame], [7, 5]);
  app.follow(2);
  app.follow(-1);
  app.follow(NaN);
  assert.equal(app.index, 1);
  assert.deepEqual(told, ["replay", "frame", "track"]);
});

test("frames beyond the ends are the ends, and nonsense is none", () => {
  const { app } = shown();
  for (const [asked, comes] of [[99, 10], [-2, 0], [4.4, 4], [NaN, 4]]) {
    app.seek(asked);
    assert.equal(app.frame, comes);
  }
});

test("events are found from the frame on, of a kind or of any, and only once for a life", () => {
  let asked = 0;
  const app = new App(() => { asked += 1; return EVENTS; });
  app.show({ header: { lives: [{ agent: 4, length: 10 }] } });
  app.seek(3);
  assert.deepEqual([app.eventFrom(1).frame, app.eventFrom(1, "use").frame, app.eventFrom(-1)], [8, 9, null]);
  app.goToEvent(1);
  app.goToEvent(1);
  app.goToEvent(1);
  assert.equal(app.frame, 9);
  app.goToEvent(-1);
  assert.deepEqual([app.frame, asked], [8, 1]);
});

test("an address says who, when, which tab and which town, and leads there again", () => {
  const { app } = shown(), other = shown().app;
  app.follow(1);
  app.seek(3);
  app.setLayer("fog", false);
  const address = writeAddress(app, "reward");
  assert.equal(address, "#agent=7&step=3&tab=reward&town=whole");
  assert.deepEqual(readAddress(address), { agent: 7, step: 3, tab: "reward", town: "whole", fork: null });
  goTo(other, readAddress(address));
  assert.deepEqual([other.track.life.agent, other.frame, other.layers.fog], [7, 3, false]);
  assert.equal(writeAddress(shown().app, null), "#agent=4&step=0");
});

test("a link leads to the very moment that is shown, also while it plays", () => {
  const { app } = shown();
  globalThis.window = { location: { href: "file:///town.html#agent=4&step=0" } };
  assert.equal(linkTo(new App(), "reward"), "file:///town.html#agent=4&step=0"); // as it came: nothing is shown yet
  app.play();
  app.advance(0.25); // 2 steps
  assert.equal(linkTo(app, "reward"), "file:///town.html#agent=4&step=2&tab=reward");
  delete globalThis.window;
});

test("what an address says wrongly, or asks for in vain, changes nothing", () => {
  const nothing = { agent: null, step: null, tab: null, town: null, fork: null };
  for (const hash of ["", "#", "#agent=-1&step=1.5", "#step=1e3", "#agent=99999999999", "#%E0%A4%A"]) {
    assert.deepEqual(readAddress(hash), nothing, hash);
  }
  const { app } = shown();
  app.seek(2);
  goTo(app, readAddress("#agent=5"));
  assert.deepEqual([app.track.life.agent, app.frame], [4, 2]);
});

test("keys move by a step, by ten, to the ends, to other lives, and choose the speed", () => {
  const { app } = shown();
  for (const [key, more, comes] of [
    ["ArrowRight", {}, 1], [".", {}, 2], ["ArrowLeft", {}, 1], [",", {}, 0], ["ArrowRight", { shiftKey: true }, 10],
    ["ArrowLeft", { shiftKey: true }, 0], ["End", {}, 10], ["Home", {}, 0], ["n", {}, 3], ["N", {}, 8], ["p", {}, 3],
  ]) {
    press(app, key, more);
    assert.equal(app.frame, comes, key);
  }
  press(app, "j");
  assert.equal(app.index, 1);
  press(app, "ArrowUp");
  assert.equal(app.index, 0);
  press(app, "1");
  assert.equal(app.speed, SPEEDS[0]);
  press(app, "9");
  assert.equal(app.speed, SPEEDS[8]);
  press(app, "f");
  assert.equal(app.layers.fog, false);
});

test("keys of the browser are left alone, and no key means two things", () => {
  for (const held of ["ctrlKey", "metaKey", "altKey"]) assert.equal(meaningOf({ key: "f", [held]: true }), undefined);
  assert.equal(meaningOf({ key: "q" }), undefined);
  const heard = KEYS.flatMap(([keys]) => keys);
  assert.equal(new Set(heard).size, heard.length);
});
