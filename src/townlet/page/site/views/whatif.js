// What if: live on otherwise from here, forget, set a meter or the clock, play; and what of this the page can do.

import { mayHaveCompany } from "townlet/alive/company.js";
import { change, letGo, liveOn } from "townlet/alive/powers.js";
import { element } from "townlet/drawing.js";
import { clock, hourOf } from "townlet/explain/places.js";
import { against } from "townlet/explain/verdict.js";
import { sentence, words } from "townlet/explain/words.js";
import { begin } from "townlet/game.js";
import { madeOfLife, madeOnce } from "townlet/views/made.js";

const DRAG = "Drag a house or the agent in the town to another cell; or choose its cell, for buttons.";

export const whatif = {
  id: "whatif",
  title: "What if",
  hint: "From this step on the page lives another life beside this one, by the same rules and the same network.",
  make(root, app) {
    const leaving = makeLeaving(app), setting = makeSetting(app);
    const playing = makePlaying(app), telling = makeTelling(app, leaving.focus);
    const parts = [leaving, setting, playing, telling];
    root.append(element("div", { class: "whatif" }, element("div", { class: "half" }, leaving.root, setting.root),
      element("div", { class: "half" }, playing.root, telling.root)));
    return { draw: (moment) => parts.forEach((part) => part.draw(moment)) };
  },
};

/** Live on as it is, or without what it remembers. */
function makeLeaving(app) {
  const on = act("Fork here", "B", () => liveOn(app));
  const forgets = act("Forget now", "X", () => forget(app, part.value));
  const part = element("select", { "aria-label": "What is forgotten" });
  const partsOf = madeOnce(({ memory }) => {
    part.replaceChildren(element("option", { value: "", text: "everything" }), ...(memory.length < 2 ? []
      : memory.map(({ name }, index) => element("option", { value: index, text: `${index + 1}: ${name}` }))));
    forgets.hidden = part.hidden = memory.length === 0;
  });
  const root = element("div", { class: "acts" }, on, forgets, part);
  return {
    root,
    focus: () => on.focus(),
    draw({ track, frame }) {
      root.hidden = app.alive?.thinks !== true && track.kind === "recorded";
      on.hidden = app.alive?.thinks !== true;
      partsOf(track.header);
      on.disabled = forgets.disabled = frame === track.frames - 1 && track.life.ended !== "cut";
    },
  };
}

/** Forget all of the memory, or a part of an index, "" for all. */
export function forget(app, part = "") {
  if (part === "") change(app, "forget");
  else change(app, "part", Number(part));
}

/** Set a meter or the clock; houses are moved in the town itself. */
function makeSetting(app) {
  const meter = element("select", { "aria-label": "Which meter" }), told = element("output", { class: "share" });
  const share = element("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "How full" });
  const hour = element("select", { "aria-label": "The clock" });
  const time = element("label", { class: "setting" }, element("span", { text: "Clock" }), hour);
  const root = element("div", { class: "acts" },
    element("span", { class: "setting" }, meter, share, told), time,
    element("p", { class: "hint", text: DRAG }));
  share.addEventListener("input", () => { told.textContent = `${share.value}%`; });
  share.addEventListener("change", () => change(app, "meter", meter.selectedIndex, share.valueAsNumber));
  hour.addEventListener("change", () => change(app, "hour", hour.selectedIndex));
  meter.addEventListener("change", () => show(app));
  const fill = madeOnce((header) => {
    const { meters, day_ticks: day } = header.world;
    meter.replaceChildren(...meters.map(({ name }) => element("option", { text: sentence(words(name)) })));
    const hours = Array.from({ length: day ?? 0 }, (_, tick) => clock(hourOf(header, tick)));
    hour.replaceChildren(...hours.map((text) => element("option", { text })));
    time.hidden = day === null;
  });
  const show = ({ track, frame }) => {
    if (document.activeElement === share && share.matches(":active")) return; // it is being moved
    share.value = Math.round(100 * track.value("meters", frame, meter.selectedIndex));
    told.textContent = `${share.value}%`;
  };
  return {
    root,
    draw(moment) {
      const { track, frame } = moment, { day_ticks: day } = track.header.world;
      root.hidden = app.alive?.thinks !== true;
      fill(track.header);
      show(moment);
      if (day !== null) hour.selectedIndex = track.value("tick", frame) % day;
    },
  };
}

function makePlaying(app) {
  const start = act("Play it yourself", "G", () => begin(app, 0));
  const here = act("Play from here", null, () => begin(app, app.frame));
  const beside = act("Side by side", "T", () => app.setLayer("tiles", !app.layers.tiles));
  return {
    root: element("div", { class: "acts" }, start, here, beside),
    draw() {
      start.hidden = here.hidden = app.alive?.plays !== true;
      beside.hidden = !mayHaveCompany(app);
      beside.setAttribute("aria-pressed", app.layers.tiles);
    },
  };
}

/** What was changed in the life, what came of it, and what the page computes; `next()` takes the focus after it. */
function makeTelling(app, next) {
  const changes = element("ol", { class: "changes" }), came = element("p");
  const gone = act("Let go of this life", "Del", () => { letGo(app); next(); });
  const badge = element("p", { class: "told" });
  const changesOf = madeOfLife((track) => changes.replaceChildren(...track.changes.map(({ frame, what }) => {
    const jump = element("button", { type: "button", class: "jump", text: `Step ${frame}: ${what}` });
    jump.addEventListener("click", () => { app.pause(); app.seek(frame); });
    return element("li", {}, jump);
  })));
  return {
    root: element("div", { class: "came" }, changes, came, gone, badge),
    draw({ track }) {
      changesOf(track);
      came.hidden = gone.hidden = track.kind !== "lived";
      came.textContent = track.kind === "lived" ? against(track, track.parent) : "";
      badge.textContent = app.alive?.told ?? "";
    },
  };
}

function act(text, key, run) {
  const button = element("button", { type: "button", title: key === null ? text : `${text} (${key})`, text });
  button.addEventListener("click", run);
  return button;
}
