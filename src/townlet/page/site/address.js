// What is shown stands in the page's address, so that a link leads to the very same moment.

import { recipeOf, revive } from "townlet/alive/powers.js";
import { leave } from "townlet/game.js";
import { read, written } from "townlet/track/changes.js";

/** What an address asks for, by the part after `#`: {agent, step, tab, town, fork}; null for what it does not say. */
export function readAddress(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const whole = (name) => (/^\d{1,9}$/.test(said.get(name) ?? "") ? Number(said.get(name)) : null);
  const fork = read(said.get("fork") ?? "");
  return { agent: whole("agent"), step: whole("step"), tab: said.get("tab"), town: said.get("town"), fork };
}

/** The part after `#` that leads to what an app shows, with the tab that is open. */
export function writeAddress(app, tab) {
  const said = new URLSearchParams({ agent: app.track.life.agent, step: app.frame });
  const recipe = recipeOf(app, app.track);
  if (recipe !== null && recipe.length > 0) said.set("fork", written(recipe));
  if (tab !== null) said.set("tab", tab);
  if (!app.layers.fog) said.set("town", "whole");
  return `#${said}`;
}

/** A link to what an app shows, with the tab that is open: of this very moment, also while it plays. */
export function linkTo(app, tab) {
  const { href } = window.location;
  return app.track === null ? href : new URL(writeAddress(app, tab), href).href;
}

/** Let an app show what an address asks for, as far as this replay has it. */
export function goTo(app, asked) {
  const index = app.tracks.findIndex((track) => track.kind === "recorded" && track.life.agent === asked.agent);
  app.setLayer("fog", asked.town !== "whole");
  if (index >= 0 && asked.fork !== null) follow(app, index, asked);
  else if (index >= 0) app.follow(index);
  if (asked.step !== null && (index < 0 || asked.fork === null)) app.seek(asked.step);
}

/** Follow the fork of a recorded life that is asked for: one that is there already, or it is lived once more. */
function follow(app, index, { fork, step }) {
  const wanted = written(fork), { agent } = app.tracks[index].life;
  const there = app.tracks.findIndex((track) => track.life.agent === agent && track.kind === "lived"
    && written(recipeOf(app, track) ?? []) === wanted);
  app.follow(there >= 0 ? there : index);
  if (step !== null) app.seek(step);
  if (there < 0) revive(app, index, fork, step ?? fork.at(-1).frame);
}

const PAUSE = 250; // ms that nothing changes before it is written: browsers count how often that is done

/** Keep the address and the app together. Who is followed makes a step of the history; a frame does not. */
export function bindAddress(app, tabs) {
  if (window.location.protocol === "about:") return; // in a notebook the page has no address of its own
  let waiting = null, restoring = false;
  const write = (how) => {
    clearTimeout(waiting);
    waiting = null;
    const now = writeAddress(app, tabs.chosen());
    if (now !== window.location.hash) window.history[how](null, "", now);
  };
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => write("replaceState"), PAUSE);
  };
  const restore = () => {
    if (app.track === null) return;
    const asked = readAddress(window.location.hash);
    restoring = true;
    app.pause();
    if (app.game !== null) leave(app);
    goTo(app, asked);
    if (asked.tab !== null) tabs.choose(asked.tab);
    restoring = false;
  };
  app.listen((what) => {
    if (what === "replay") restore();
    if (restoring || app.track === null) return;
    if (what === "track") write("pushState");
    else if (!app.playing) later();
  });
  tabs.listen(() => { if (!restoring && app.track !== null) later(); });
  window.addEventListener("popstate", restore);
}
