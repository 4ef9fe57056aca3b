// What a person does to lives, as the page then shows it: forks, changes, games, and links that lead to them.

import assert from "node:assert/strict";
import test from "node:test";

import { goTo, readAddress, writeAddress } from "townlet/address.js";
import { change, letGo, liveOn } from "townlet/alive/powers.js";
import { App } from "townlet/app.js";
import { against, verdict } from "townlet/explain/verdict.js";
import { act, begin, controls, leave } from "townlet/game.js";
import { E, N, REST, S, USE, W, header } from "./town.mjs";
import { mind, recorded } from "./counted.mjs";

/** An app that shows a life of four steps, and can live. */
function shown(life = {}, alive = {}) {
  const able = { thinks: true, plays: true, told: "It cannot.", mind, work: (tracks) => grow(tracks), ...alive };
  const app = new App(() => [], () => able);
  app.show({ header: { lives: [] } });
  app.tracks = [recorded(life)];
  return app;
}

function grow(tracks) {
  const one = tracks.find((track) => track.growing);
  one?.live();
  return one === undefined ? null : "grown";
}

const labels = (app) => app.tracks.map((track) => track.label);

test("a life that is left stays, and the other beside it is followed from the same frame on", () => {
  const app = shown();
  app.seek(2);
  liveOn(app);
  assert.deepEqual([app.index, app.frame, app.last], [1, 2, 2]);
  assert.deepEqual(labels(app), ["agent 3", "fork of agent 3 at step 2"]);
  while (app.work(() => true));
  assert.equal(app.last, 4);
});

test("a change of a recorded life makes a fork, and one of a fork is made in it", () => {
  const app = shown();
  app.seek(1);
  change(app, "meter", 0, 100);
  assert.deepEqual([app.index, app.track.value("meters", 1, 0)], [1, 1]);
  app.track.liveUntil(9);
  app.seek(3);
  change(app, "forget");
  assert.deepEqual(labels(app), ["agent 3", "fork of agent 3 at step 1 (water set to 100%, and 1 more)"]);
  assert.deepEqual([app.frame, app.last], [3, 3]);
  app.seek(0);
  change(app, "hour", 2);
  assert.deepEqual(labels(app).slice(2), ["fork of agent 3 at step 0 (clock set to 06:00)"]); // before it left the other
});

test("a meter that is set again at the same step is one change, whichever was between", () => {
  const app = shown();
  app.seek(1);
  for (const share of [51, 52, 53]) change(app, "meter", 0, share);
  assert.equal(writeAddress(app, null), "#agent=3&step=1&fork=1-meter-0-53");
  assert.deepEqual(app.track.changes.map(({ what }) => what), ["water set to 53%"]);
  assert.equal(app.track.value("meters", 1, 0), Math.fround(0.53));
  change(app, "meter", 1, 20); // another meter
  app.track.liveUntil(2);
  app.seek(2);
  for (const share of [40, 41]) change(app, "meter", 1, share); // the same at another step
  assert.equal(writeAddress(app, null), "#agent=3&step=2&fork=1-meter-0-53.1-meter-1-20.2-meter-1-41");
  change(app, "forget");
  change(app, "meter", 1, 42); // it is not the last any more
  assert.ok(writeAddress(app, null).endsWith("2-meter-1-41.2-forget.2-meter-1-42"));
});

test("after a fork of a fork whose own origin was let go of, the life before both is followed", () => {
  const app = shown();
  app.tracks = [recorded(), ...app.tracks];
  app.follow(1);
  app.seek(1);
  liveOn(app);
  app.track.liveUntil(2);
  liveOn(app);
  app.remove(2);
  assert.equal(app.index, 2);
  letGo(app);
  assert.deepEqual([app.index, app.tracks.length], [1, 2]);
});

test("what cannot be changed is said in a sentence, until another moment is shown", () => {
  const app = shown();
  app.seek(1);
  change(app, "place", 1, 0, 0);
  assert.equal(app.notice, "Another place stands on column 1, row 1 already; choose a free one.");
  assert.equal(app.tracks.length, 1);
  app.seek(2);
  assert.equal(app.notice, null);
  app.seek(4);
  liveOn(app);
  assert.equal(app.notice, "Its life ends at this step: go back to one before, and change it there.");
});

test("where the page cannot live, nothing is forked, and it is said why", () => {
  const app = shown({}, { thinks: false, plays: false });
  liveOn(app);
  assert.deepEqual([app.tracks.length, app.notice], [1, "It cannot."]);
  begin(app, 0);
  assert.equal(app.game, null);
});

test("a life is let go of, a recorded one never, and that which it left is followed again", () => {
  const app = shown();
  letGo(app);
  assert.equal(app.tracks.length, 1);
  app.seek(1);
  liveOn(app);
  letGo(app);
  assert.deepEqual([app.index, app.frame, labels(app)], [0, 1, ["agent 3"]]);
});

test("a link tells how a life came to be, and leads to the same one", () => {
  const app = shown(), other = shown();
  app.seek(1);
  change(app, "meter", 0, 100);
  app.track.liveUntil(3);
  app.seek(3);
  change(app, "place", 0, 3, 2);
  app.track.liveUntil(9);
  app.seek(5);
  const address = writeAddress(app, null);
  assert.equal(address, "#agent=3&step=5&fork=1-meter-0-100.3-place-0-3-2");
  goTo(other, readAddress(address));
  assert.deepEqual([other.frame, other.track.places(3)[0], other.track.at("meters", 5)],
    [5, [3, 2], app.track.at("meters", 5)]);
  goTo(other, readAddress("#agent=3&step=1"));
  assert.equal(other.index, 0);
  goTo(other, readAddress(address)); // it is there already
  assert.deepEqual([other.index, other.frame, other.tracks.length], [1, 5, 2]);
});

test("a link to a life that cannot be is told, and the recorded one is shown", () => {
  const app = shown();
  goTo(app, readAddress("#agent=3&step=2&fork=1-place-1-9-9"));
  assert.deepEqual([app.index, app.frame, app.tracks.length], [0, 2, 1]);
  assert.equal(app.notice, "There is no column 10, row 10 on this map, which has 4 columns and 3 rows.");
  goTo(app, readAddress("#agent=3&step=2&fork=77-forget"));
  assert.equal(app.notice, "This life has no step 77: its last is 4.");
});

test("a fork without a change, and a fork of it, have links too; what a person lived has none", () => {
  const app = shown();
  app.seek(1);
  liveOn(app);
  assert.equal(writeAddress(app, null), "#agent=3&step=1&fork=1-live");
  app.track.liveUntil(2);
  app.seek(2);
  liveOn(app);
  assert.equal(writeAddress(app, null), "#agent=3&step=2&fork=2-live");
  begin(app, 1);
  assert.equal(writeAddress(app, null), "#agent=3&step=1");
});

test("a person plays from a frame on, by what is allowed there, to the end", () => {
  const app = shown();
  app.seek(2);
  begin(app, 0);
  assert.equal(app.track.label, "you, from the start of agent 3");
  assert.deepEqual([app.frame, app.game.over, app.layers.fog], [0, false, true]);
  act(app, USE); // nothing stands here
  assert.deepEqual([app.frame, app.game.told], [0, "That cannot be done here."]);
  for (const action of [REST, REST, REST, REST]) act(app, action);
  assert.deepEqual([app.frame, app.game.over], [4, true]); // water falls by 1/4 each time
  act(app, REST);
  assert.equal(app.frame, 4);
  const { you, ghost } = app.game;
  assert.equal(verdict(you, ghost)[0], "You lived 4 steps and died: water was empty. " +
    "The agent lived 4 steps and died: water was empty. Neither lived longer.");
  leave(app);
  assert.deepEqual([app.game, app.tracks.length], [null, 2]);
});

test("who lived longer is told, and by how much", () => {
  const app = shown();
  begin(app, 0);
  for (const action of [N, S, N]) act(app, action); // each costs 3/8
  assert.match(verdict(app.game.you, app.game.ghost)[0], /^You lived 3 steps .* It lived longer, by 1 step\.$/);
  assert.match(verdict(app.game.ghost, app.game.you)[0], /You lived longer, by 1 step\.$/);
  assert.equal(against(app.game.you, app.game.ghost), "This life lived 3 steps and died: water was empty; " +
    "the one that it left lived 4 steps and died: water was empty.");
});

test("where the recording stops though the agent lives, the ghost lives on", () => {
  const app = shown({ length: 2, ended: "cut", cause: null });
  begin(app, 0);
  while (app.work(() => true));
  assert.deepEqual([app.game.ghost.kind, app.game.ghost.life.length], ["lived", 4]);
  leave(app);
  assert.equal(app.tracks.length, 2); // a game without a step leaves nothing
  const alone = shown({ length: 2, ended: "cut", cause: null }, { thinks: false });
  begin(alone, 0);
  for (let step = 0; step < 4; step++) act(alone, REST);
  assert.match(verdict(alone.game.you, alone.game.ghost)[0], /who lives longer is open\.$/);
});

test("the keys of a game are the actions of the level, whatever they are called", () => {
  assert.deepEqual(controls(header().world), { up: N, left: W, down: S, right: E, use: USE, wait: REST });
  assert.deepEqual(controls({ actions: [{ name: "hop", dx: 1, dy: 0, interacts: false }] }),
    { up: undefined, left: undefined, down: undefined, right: 0, use: undefined, wait: undefined });
});
