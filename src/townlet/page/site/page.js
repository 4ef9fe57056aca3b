// The page around the views: its bar, its cards and tabs, and when they are drawn.

import { bindAddress, linkTo } from "townlet/address.js";
import { makeBar } from "townlet/bar.js";
import { element, forgetColours } from "townlet/drawing.js";
import { bindFiles, makeEmpty } from "townlet/files.js";
import { bindKeys } from "townlet/keys.js";
import { makeTabs } from "townlet/tabs.js";
import { bindTheme } from "townlet/theme.js";
import { BESIDE, GAME, TABS, TIMELINE, TOWN } from "townlet/views/index.js";

/**
 * Build the page in `root`; `open(bytes)` shows a replay, and `live` is a run that goes on, null for none. Returns
 * {tell, warn}, which say a sentence, null for none.
 */
export function makePage(root, app, open, live = null) {
  const notice = element("p", { class: "notice", hidden: true });
  const stage = element("main", { class: "stage", hidden: true });
  const tabs = makeTabs(live === null ? TABS : [...TABS, live.view], app);
  const bar = makeBar(app, open, () => linkTo(app, tabs.chosen()));
  const empty = live?.waiting ?? makeEmpty(open);
  root.append(bar.root, ...(live === null ? [] : [live.root]), notice, empty, stage);
  const beside = BESIDE.map((view) => makeCard(view, app, "beside"));
  const town = makeCard(TOWN, app, "town"), timeline = makeCard(TIMELINE, app, "timeline");
  const game = makeCard(GAME, app, "game");
  stage.append(town.root, element("div", { class: "side" }, game.root, ...beside.map((card) => card.root), tabs.root),
    timeline.root);

  const playing = bindGame(stage, game.root);
  const drawn = drawer(app, town, [timeline, game, ...beside, tabs, bar]);
  app.listen((what) => {
    if (what === "replay") [stage.hidden, empty.hidden] = [false, true];
    if (what === "notice") say(notice, app.notice, "alert");
    if (what === "game" || what === "replay") playing(app.game !== null);
    drawn.ask();
  });
  bar.proof.addEventListener("click", () => tabs.choose("whatif", true));
  tabs.listen(drawn.ask);
  new ResizeObserver(drawn.ask).observe(stage);
  bindTheme(() => { forgetColours(); drawn.ask(); });
  bindKeys(app, bar);
  bindFiles(open);
  bindAddress(app, tabs);
  return {
    tell: (sentence) => say(notice, sentence, "status"),
    warn: (sentence) => say(notice, sentence, "alert"),
  };
}

function say(notice, sentence, role) {
  notice.hidden = sentence === null;
  notice.setAttribute("role", role);
  notice.textContent = sentence ?? "";
}

/** A function to call with whether a person plays: the stage is theirs then, and so is the focus, which comes back. */
function bindGame(stage, card) {
  let before = null; // what had the focus
  card.tabIndex = -1;
  return (plays) => {
    if (plays === stage.classList.contains("gaming")) return;
    if (plays) before = document.activeElement;
    stage.classList.toggle("gaming", plays);
    if (!plays) return back(before);
    window.scrollTo(0, 0); // to the town, from wherever the button was
    card.focus({ preventScroll: true });
  };
}

function back(element) {
  element.focus();
  if (document.activeElement !== element) document.activeElement.blur(); // it is gone; keys work from anywhere
}

/** A view in a card of its own. */
export function makeCard(view, app, name) {
  const body = element("div", { class: "body" });
  const heading = element("h2", { text: view.title, title: view.hint });
  const root = element("section", { class: `card ${name}`, id: view.id, "aria-label": view.title },
    element("header", {}, heading, element("p", { class: "hint", text: view.hint })), body);
  return { root, draw: view.make(body, app).draw };
}

/** Draws views when something changed, at most once a frame of the screen, and lets time go by while it plays. */
function drawer(app, town, others) {
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  let asked = false, wanted = false, before = null;
  const ask = () => {
    wanted = true;
    if (!asked) requestAnimationFrame(turn);
    asked = true;
  };
  function turn(now) {
    asked = false;
    if (app.playing) app.advance(Math.min((now - (before ?? now)) / 1000, 0.25));
    before = app.playing ? now : null;
    if (app.track !== null) {
      const moment = { track: app.track, frame: app.frame, app };
      if (wanted || !still.matches) town.draw(moment);
      if (wanted) others.forEach((view) => view.draw(moment));
    }
    wanted = false;
    if (app.playing && !asked) requestAnimationFrame(turn);
    asked ||= app.playing;
  }
  return { ask };
}
