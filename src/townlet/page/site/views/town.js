// The town: where the agent is, what stands around it, and what of that it sees and has seen.

import { colour, element, fitCanvas, glyphs, words } from "townlet/drawing.js";
import { clock, darkness, hourOf, isOpen, tellPlace, tellStep } from "townlet/explain/places.js";
import { eyesOf, placesAt, remembered, sightsOf, visible } from "townlet/explain/sight.js";
import { icon } from "townlet/icons.js";
import { paintAgent, paintOther, paintTrace } from "townlet/views/town_agent.js";
import { paintFog, paintGround, paintNight, paintView } from "townlet/views/town_ground.js";
import { makeTiles } from "townlet/views/tiles.js";
import { layOut, makeHands } from "townlet/views/town_hands.js";
import { paintHouse } from "townlet/views/town_house.js";

const BETWEEN = 15; // steps a second up to which the agent is shown on its way from cell to cell

/** The view of the town. */
export const town = {
  id: "town",
  title: "The town",
  hint: "Bright: in view now. Dashed: seen before. Dark: never seen. Choose a cell for more.",
  make(root, app) {
    const canvas = element("canvas", { class: "map", tabindex: 0, role: "img" });
    const sky = makeSky(), doing = element("p", { class: "doing" }), hint = element("p", { class: "hint" });
    const facts = element("p", { class: "facts", "aria-live": "polite" });
    const seen = makeSwitch(app);
    let last = null; // what was drawn last
    const show = () => {
      if (last === null) return;
      paintTown(canvas, last, hands);
      hands.draw();
      const [x, y] = hands.chosen ?? last.track.at("position", last.frame);
      tellCell(facts, last, x, y, app.layers.fog);
    };
    const hands = makeHands(canvas, app, () => last, show);
    const own = element("figure", {}, canvas), frame = element("div", { class: "frame" }, own);
    const tiles = makeTiles(frame, own, app, paintTown);
    root.append(element("div", { class: "top" }, sky.root, doing, seen.root), frame,
      element("div", { class: "below" }, facts, hands.root, hint));
    app.listen((what) => { if (what === "track" || what === "replay" || what === "game") hands.letGo(); });
    return {
      draw(moment) {
        last = moment;
        seen.draw(moment);
        sky.draw(moment);
        hint.hidden = eyesOf(moment.track.header).all || !app.layers.fog || playing(app);
        hint.textContent = town.hint;
        doing.textContent = playing(app) ? `Your move. Steps so far: ${moment.frame}` : tellStep(moment.track, moment.frame);
        const [x, y] = moment.track.at("position", moment.frame);
        canvas.setAttribute("aria-label", `The town. The agent is in column ${x + 1}, row ${y + 1}. ${doing.textContent}.`);
        tiles.draw(moment);
        show();
      },
    };
  },
};

/** The time of the day, with the sun or the moon; nothing in a level without days. */
function makeSky() {
  const time = element("span"), sun = icon("sun"), moon = icon("moon");
  const root = element("p", { class: "time" }, sun, moon, time);
  return {
    root,
    draw({ track, frame }) {
      const tick = track.value("tick", frame), hour = hourOf(track.header, tick), night = darkness(hour) > 0.5;
      root.hidden = hour === null;
      time.textContent = hour === null ? "" : clock(hour);
      sun.classList.toggle("gone", night);
      moon.classList.toggle("gone", !night);
    },
  };
}

/** Which of the two towns is shown: as the agent sees it, or as it is. */
function makeSwitch(app) {
  const [agent, whole] = ["As the agent sees it", "As it is"].map((text) => element("button", { type: "button", text }));
  agent.addEventListener("click", () => app.setLayer("fog", true));
  whole.addEventListener("click", () => app.setLayer("fog", false));
  const root = element("div", { class: "switch", role: "group", "aria-label": "Which town is shown" }, agent, whole);
  return {
    root,
    draw({ track }) {
      root.hidden = eyesOf(track.header).all;
      agent.setAttribute("aria-pressed", app.layers.fog);
      whole.setAttribute("aria-pressed", !app.layers.fog);
    },
  };
}

const NO_HANDS = { chosen: null, held: null };

/** Paint a town on a canvas, `alone` without the life that another left; `hands` have a cell chosen, and may hold. */
export function paintTown(canvas, { track, frame, app, alone = false }, { chosen, held } = NO_HANDS) {
  const { ctx, width, height } = fitCanvas(canvas), { header } = track, { world } = header;
  const grid = { ...layOut(world, width, height), columns: world.width, rows: world.height };
  const tick = track.value("tick", frame), dark = darkness(hourOf(header, tick));
  const sees = !eyesOf(header).all && track.by !== "planner", fog = app.layers.fog && sees; // else it knows all
  paintGround(ctx, grid);
  paintNight(ctx, grid, dark);
  if (app.layers.trace) paintTrace(ctx, grid, track, frame);
  for (const house of houses(track, frame, fog)) paintHouse(ctx, grid, header, { ...house, tick, dark });
  if (fog) paintFog(ctx, grid, visible(track, frame), sightsOf(track, frame).seen);
  const memories = fog && !playing(app) ? ghosts(track, frame) : [];
  for (const ghost of memories) paintHouse(ctx, grid, header, { ...ghost, tick, dark });
  if (sees) paintView(ctx, grid, track.at("position", frame), eyesOf(header).reach);
  if (!alone && track.parent && frame >= track.from) paintOther(ctx, grid, track.parent, frame);
  const fraction = app.playing && app.speed <= BETWEEN ? app.fraction : 0;
  paintAgent(ctx, grid, track, frame, window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : fraction);
  if (chosen !== null) outline(ctx, grid, chosen);
  if (held !== null) paintHeld(ctx, grid, track, held);
}

/** Whether a person plays: then what is out of sight must be remembered. */
function playing({ game }) {
  return game !== null && !game.over;
}

/** What is carried, where it would be put. */
function paintHeld(ctx, grid, track, { affordance, x, y }) {
  const { affordances } = track.header.world, letters = glyphs(affordances.map((row) => row.name));
  outline(ctx, grid, [x, y]);
  if (affordance === null) return;
  const house = { index: affordance, x, y, known: true, open: true, letters: letters[affordance], tick: 0, dark: 0 };
  paintHouse(ctx, grid, track.header, house);
}

/** Houses as they stand: under fog those in view, without names where the agent never stood there. */
function houses(track, frame, fog) {
  const { affordances, width } = track.header.world, letters = glyphs(affordances.map((row) => row.name));
  const view = fog ? visible(track, frame) : null, { stood } = sightsOf(track, frame);
  return placesAt(track, frame).flatMap((at, index) => {
    if (at === null || (view !== null && view[at[1] * width + at[0]] === 0)) return [];
    const known = !fog || (stood[index] !== null && stood[index].x === at[0] && stood[index].y === at[1]);
    const open = !known || isOpen(track.header, affordances[index], track.value("tick", frame));
    return [{ index, x: at[0], y: at[1], known, open, letters: known ? letters[index] : "?" }];
  });
}

/** Houses out of view that the agent has seen, as it saw them. */
function ghosts(track, frame) {
  const letters = glyphs(track.header.world.affordances.map((row) => row.name));
  return remembered(track, frame).map(({ affordance, x, y, age, named, wrong }) => (
    { index: affordance, x, y, known: named, open: true, letters: named ? letters[affordance] : "?", age, wrong }
  ));
}

function outline(ctx, { side, left, top }, [x, y]) {
  ctx.strokeStyle = colour("accent");
  ctx.lineWidth = 3;
  ctx.strokeRect(left + x * side + 1.5, top + y * side + 1.5, side - 3, side - 3);
}

/** Tell what lies in a cell, as far as the agent knows it where the town is shown as it sees it. */
function tellCell(facts, { track, frame }, x, y, fog) {
  const { header } = track, tick = track.value("tick", frame), { width } = header.world;
  const { seen, what, stood } = sightsOf(track, frame), cell = y * width + x, all = eyesOf(header).all;
  const truth = placesAt(track, frame).findIndex((at) => at !== null && at[0] === x && at[1] === y);
  const index = fog && !all ? what[cell] : truth;
  const known = !fog || all || (index >= 0 && stood[index]?.x === x && stood[index]?.y === y);
  const age = frame - seen[cell];
  const when = !fog || all || age === 0 ? "" : seen[cell] < 0 ? "never seen" : `seen ${age} ${age === 1 ? "step" : "steps"} ago`;
  const name = seen[cell] < 0 && fog && !all ? "Somewhere" : index < 0 ? "An empty cell" : known ? words(header.world.affordances[index].name) : "A place";
  const does = index < 0 ? "" : known ? tellPlace(header, index, tick) : "The agent has not stood here: it does not know what it is.";
  const parts = [element("strong", { text: name }), when && ` (${when})`, does && `. ${does}`];
  if (facts.textContent !== parts.map((part) => part.textContent ?? part).join("")) facts.replaceChildren(...parts.filter(Boolean));
}
