// What a person can do to lives: leave one at a step, change it, let it go. What cannot be done is said in a sentence.

import { changed, fork } from "townlet/track/lived.js";
import { EditError } from "townlet/world/edits.js";

const LIVE = "live"; // the kind of change that changes nothing

/** Live on from the frame that is shown, beside the life that is followed. */
export function liveOn(app) {
  attempt(app, (mind) => follow(app, fork(mind, app.track, app.frame)));
}

/** Change the life that is followed at the frame that is shown: a recorded one is left for another, beside it. */
export function change(app, kind, ...numbers) {
  attempt(app, (mind) => {
    const { track, frame } = app, changes = [{ frame, kind, numbers }];
    const own = track.by === "policy" && track.mind === mind;
    if (own && frame >= track.from) app.replace(app.index, changed(mind, track, frame, changes));
    else follow(app, fork(mind, own ? track.parent : track, frame, changes));
  });
}

/** Let go of the life that is followed, where the page lives it. */
export function letGo(app) {
  if (app.track?.kind !== "lived") return;
  app.pause();
  app.remove(app.index);
}

/** Changes by which a recorded life becomes another, as a link has them; null where they do not tell. */
export function recipeOf(app, track) {
  if (track.kind !== "lived") return [];
  const before = track.mind === app.alive.mind && track.by === "policy" ? recipeOf(app, track.parent) : null;
  if (before === null) return null;
  const { made, from } = track;
  return (made.at(-1)?.frame ?? -1) >= from ? made : [...made, { frame: from, kind: LIVE, numbers: [] }];
}

/** Live a recorded life of an index once more with changes, as a link has them, up to a frame. */
export function revive(app, index, changes, frame) {
  attempt(app, (mind) => {
    let life = fork(mind, app.tracks[index], changes[0].frame);
    for (const one of changes.filter(({ kind }) => kind !== LIVE)) {
      life.liveUntil(one.frame);
      life = changed(mind, life, one.frame, [one]);
    }
    life.liveUntil(frame);
    follow(app, life);
    app.seek(frame);
  });
}

/** Let a life that the page lives be followed, with the others. */
export function follow(app, life) {
  app.follow(app.add(life));
}

/** Do what needs a mind that equals the recorded one. */
function attempt(app, act) {
  if (app.alive === null || app.track === null || app.game !== null) return;
  try {
    if (!app.alive.thinks) throw new EditError(app.alive.told);
    act(app.alive.mind);
    app.say(null);
  } catch (error) {
    if (!(error instanceof EditError)) throw error;
    app.say(error.message);
  }
}
