// The page begins here: it is built, and reads the replay that came with it or that its address names.

import { Alive } from "townlet/alive/alive.js";
import { bindSlices } from "townlet/alive/slices.js";
import { App } from "townlet/app.js";
import { eventsOf } from "townlet/explain/events.js";
import { makePage } from "townlet/page.js";
import { makeLive } from "townlet/live/live.js";
import { readReplay, ReplayError } from "townlet/format/replay.js";
import { embedded, embeddedBeside, named } from "townlet/sources.js";

const app = new App(eventsOf, (replay) => new Alive(replay));
const events = document.documentElement.dataset.live; // where the server that gave this page tells of a run
const live = events === undefined ? null : makeLive(events, app, open);
const page = makePage(document.getElementById("page"), app, open, live);

/**
 * Show the replay that `bytes`, a promise of an ArrayBuffer, hold, with `others` to compare it with; what cannot be
 * read is told in the page.
 */
async function open(bytes, others = []) {
  page.tell("Reading the replay …");
  try {
    const replay = await readReplay(await bytes);
    page.tell(null);
    app.show(replay);
    if (others.length > 0) app.setBeside(await Promise.all(others.map(async (other) => readReplay(await other))));
  } catch (error) {
    const known = error instanceof ReplayError;
    page.warn(known ? error.message : "This cannot be shown: it is no whole replay, or no file at all.");
    if (!known) throw error; // for the console
  }
}

bindSlices(app);
const there = embedded(document) ?? named(window.location);
if (there !== null) await open(there, embeddedBeside(document));
