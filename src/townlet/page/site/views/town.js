// The town: where the agent is, what stands around it, and what of that it sees and has seen.

import { colour, element, fitCanvas, glyphs, words } from "townlet/drawing.js";
import { darkness, dayAndTime, hourOf, isOpen, tellPlace, tellStep } from "townlet/explain/places.js";
import { eyesOf, placesAt, remembered, sightsOf, visible } from "townlet/explain/sight.js";
import { icon } from "townlet/icons.js";
import { paintAgent, paintTrace } from "townlet/views/town_agent.js";
import { paintFog, paintGround, paintNight, paintView } from "townlet/views/town_ground.js";
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
    root.append(element("div", { class: "top" }, sky.root, doing, seen.root), element("div", { class: "frame" }, canvas), facts, hint);
    let chosen = null, last = null; // the cell whose facts are told, [x, y], and what was drawn last
    const tell = () => {
      if (last === null) return;
      const [x, y] = chosen ?? last.track.at("position", last.frame);
      tellCell(facts, last, x, y, app.layers.fog);
    };
    const choose = (cell) => { chosen = cell; if (last !== null) { paint(canvas, last, chosen); tell(); } };
    bindChoice(canvas, choose, () => last, () => chosen);
    app.listen((what) => { if (what === "track" || what === "replay") chosen = null; });
    return {
      draw(moment) {
        last = moment;
        paint(canvas, moment, chosen);
        seen.draw(moment);
        sky.draw(moment);
        hint.hidden = eyesOf(moment.track.header).all || !app.layers.fog;
        hint.textContent = town.hint;
        doing.textContent = tellStep(moment.track, moment.frame);
        const [x, y] = moment.track.at("position", moment.frame);
        canvas.setAttribute("aria-label", `The town. The agent is in column ${x + 1}, row ${y + 1}. ${doing.textContent}.`);
        tell();
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
      time.textContent = dayAndTime(track.header, tick) ?? "";
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

/** How the grid lies on a canvas: the side of a cell, and where the first begins. */
function layOut(world, width, height) {
  const side = Math.floor(Math.min(width / world.width, height / world.height));
  return { side, left: Math.round((width - side * world.width) / 2), top: Math.round((height - side * world.height) / 2) };
}

function paint(canvas, { track, frame, app }, chosen) {
  const { ctx, width, height } = fitCanvas(canvas), { header } = track, { world } = header;
  const grid = { ...layOut(world, width, height), columns: world.width, rows: world.height };
  const tick = track.value("tick", frame), dark = darkness(hourOf(header, tick));
  const fog = app.layers.fog && !eyesOf(header).all;
  paintGround(ctx, grid);
  paintNight(ctx, grid, dark);
  for (const house of houses(track, frame, fog)) paintHouse(ctx, grid, header, { ...house, tick, dark });
  if (fog) paintFog(ctx, grid, visible(track, frame), sightsOf(track, frame).seen);
  if (fog) for (const ghost of ghosts(track, frame)) paintHouse(ctx, grid, header, { ...ghost, tick, dark });
  if (!eyesOf(header).all) paintView(ctx, grid, track.at("position", frame), eyesOf(header).reach);
  if (app.layers.trace) paintTrace(ctx, grid, track, frame);
  const fraction = app.playing && app.speed <= BETWEEN ? app.fraction : 0;
  paintAgent(ctx, grid, track, frame, window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : fraction);
  if (chosen !== null) outline(ctx, grid, chosen);
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

/** A click, or arrow keys while the town has the focus, choose a cell; Escape lets it go. */
function bindChoice(canvas, choose, moment, chosen) {
  canvas.addEventListener("click", (event) => {
    if (moment() === null) return;
    const { world } = moment().track.header, { side, left, top } = layOut(world, canvas.clientWidth, canvas.clientHeight);
    const [x, y] = [Math.floor((event.offsetX - left) / side), Math.floor((event.offsetY - top) / side)];
    const inside = x >= 0 && y >= 0 && x < world.width && y < world.height;
    choose(inside && !(chosen()?.[0] === x && chosen()?.[1] === y) ? [x, y] : null);
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (moment() === null || (by === undefined && event.key !== "Escape")) return;
    event.preventDefault();
    if (by === undefined) return choose(null);
    const { track, frame } = moment(), { width, height } = track.header.world, [x, y] = chosen() ?? track.at("position", frame);
    choose([Math.max(0, Math.min(width - 1, x + by[0])), Math.max(0, Math.min(height - 1, y + by[1]))]);
  });
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
