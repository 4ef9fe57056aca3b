// A game: a person lives on where an agent did, under the same fog, with that agent's life beside it as a ghost.

import { follow } from "townlet/alive/powers.js";
import { fork } from "townlet/track/lived.js";
import { EditError } from "townlet/world/edits.js";

/** Let a person play from a frame of the life that is followed. */
export function begin(app, frame) {
  if (app.alive === null || app.track === null) return;
  if (!app.alive.plays) return app.say(app.alive.told);
  if (app.game !== null) leave(app);
  try {
    const ghost = goingOn(app, app.track.by === "person" ? app.track.parent : app.track);
    const you = fork(app.alive.mind, ghost, Math.min(frame, ghost.frames - 1), [], "person");
    app.pause();
    follow(app, you);
    app.setLayer("fog", true);
    app.seek(you.from);
    app.say(null);
    app.setGame({ you, ghost, over: false, told: "" });
  } catch (error) {
    if (!(error instanceof EditError)) throw error;
    app.say(error.message);
  }
}

/** Take an action of an index, if it is allowed. */
export function act(app, action) {
  const { you, ghost, over } = app.game;
  if (over) return;
  const allowed = ((you.value("allowed", you.frames - 1) >> action) & 1) === 1;
  if (allowed) you.live(action);
  app.seek(you.frames - 1);
  app.setGame({ you, ghost, over: you.over, told: allowed ? "" : "That cannot be done here." });
}

/** End the game; a life without a step is let go of. */
export function leave(app) {
  const { you } = app.game, index = app.tracks.indexOf(you);
  app.setGame(null);
  if (index >= 0 && you.frames - 1 === you.from) app.remove(index);
}

/** The actions by the keys of a game: {up, down, left, right, use, wait}, indices or undefined. */
export function controls(world) {
  const find = (wanted) => {
    const index = world.actions.findIndex(wanted);
    return index < 0 ? undefined : index;
  };
  const going = (x, y) => find(({ dx, dy }) => dx === x && dy === y && (x !== 0 || y !== 0));
  return {
    up: going(0, -1), left: going(-1, 0), down: going(0, 1), right: going(1, 0),
    use: find(({ interacts }) => interacts), wait: find(({ dx, dy, interacts }) => dx === 0 && dy === 0 && !interacts),
  };
}

/** The ghost: the life itself; where its recording stops though it lived, as the policy goes on. */
function goingOn(app, track) {
  if (track.kind !== "recorded" || track.life.ended !== "cut" || !app.alive.thinks) return track;
  const lives = app.tracks.find((one) => one.parent === track && one.by === "policy" && one.from === track.frames - 1
    && one.made.length === 0);
  if (lives !== undefined) return lives;
  const life = fork(app.alive.mind, track, track.frames - 1);
  app.add(life);
  return life;
}
