// Hands on the town: a cell is chosen; a house or the agent is taken from one and put on another; a house is removed.
//
// With a pointer by dragging, with keys by arrows, Enter, Escape and Delete, and by buttons, which fingers take too.

import { change } from "townlet/alive/powers.js";
import { element } from "townlet/drawing.js";
import { eyesOf, placesAt, visible } from "townlet/explain/sight.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** How the grid lies on a canvas: the side of a cell, and where the first begins. */
export function layOut(world, width, height) {
  const side = Math.floor(Math.min(width / world.width, height / world.height));
  const [left, top] = [(width - side * world.width) / 2, (height - side * world.height) / 2].map(Math.round);
  return { side, left, top };
}

/** Hands: {root, chosen, held, letGo(), draw()}; `moment()` is what was drawn last, `again()` draws. */
export function makeHands(canvas, app, moment, again) {
  const move = element("button", { type: "button", text: "Move it" });
  const remove = element("button", { type: "button", text: "Remove it" });
  const says = element("span", { class: "hint", "aria-live": "polite" });
  const hands = {
    root: element("p", { class: "hands", hidden: true }, move, remove, says),
    chosen: null, // [x, y] of the cell whose facts are told
    held: null, // what is carried: {affordance, null for the agent; x, y: where it would be put}
    letGo: () => { hands.chosen = hands.held = null; },
    draw: () => drawButtons(hands, { move, remove, says }, app, moment()),
  };
  const set = (changes) => { Object.assign(hands, changes); again(); };
  move.addEventListener("click", () => { take(hands, app, moment(), set); canvas.focus(); });
  remove.addEventListener("click", () => { removeAt(hands.chosen, app, moment()); again(); canvas.focus(); });
  bindPointer(canvas, hands, app, moment, set);
  bindKeys(canvas, hands, app, moment, set);
  return hands;
}

/** What can be taken from a cell: {affordance}, null for the agent; undefined for nothing, or nothing that is shown. */
function thingAt(cell, app, { track, frame }) {
  if (cell === null || app.alive?.thinks !== true || app.game !== null) return undefined;
  const at = ([x, y]) => x === cell[0] && y === cell[1], { header } = track;
  if (at(track.at("position", frame))) return { affordance: null };
  const { width } = header.world, whole = !app.layers.fog || eyesOf(header).all;
  const shown = whole || visible(track, frame)[cell[1] * width + cell[0]] === 1;
  const affordance = placesAt(track, frame).findIndex((place) => place !== null && at(place));
  return shown && affordance >= 0 ? { affordance } : undefined;
}

function take(hands, app, moment, set) {
  const thing = thingAt(hands.chosen, app, moment);
  if (thing !== undefined) set({ held: { ...thing, x: hands.chosen[0], y: hands.chosen[1] } });
}

function put({ held }, app, set) {
  set({ held: null, chosen: [held.x, held.y] });
  if (held.affordance === null) change(app, "agent", held.x, held.y);
  else change(app, "place", held.affordance, held.x, held.y);
}

function removeAt(cell, app, moment) {
  const thing = thingAt(cell, app, moment);
  if (thing !== undefined && thing.affordance !== null) change(app, "remove", thing.affordance);
}

function bindPointer(canvas, hands, app, moment, set) {
  let from = null, dragged = false; // the cell in which a button went down, and whether that began a drag
  canvas.addEventListener("pointerdown", (event) => {
    dragged = false;
    const cell = cellOf(event, canvas, moment()), free = event.pointerType !== "touch" && event.button === 0;
    from = free && hands.held === null && thingAt(cell, app, moment()) !== undefined ? cell : null;
    if (from !== null) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const cell = cellOf(event, canvas, moment());
    canvas.classList.toggle("grab", hands.held !== null || thingAt(cell, app, moment()) !== undefined);
    if (from !== null && !dragged && cell !== null && !same(cell, from)) {
      dragged = true;
      set({ held: { ...thingAt(from, app, moment()), x: from[0], y: from[1] } });
    }
    if (hands.held !== null && cell !== null && !same(cell, [hands.held.x, hands.held.y])) {
      set({ held: { ...hands.held, x: cell[0], y: cell[1] } });
    }
  });
  canvas.addEventListener("pointercancel", () => { from = null; set({ held: null }); });
  canvas.addEventListener("click", (event) => {
    const cell = cellOf(event, canvas, moment());
    from = null;
    if (hands.held !== null && cell !== null) {
      hands.held = { ...hands.held, x: cell[0], y: cell[1] };
      put(hands, app, set);
    } else if (hands.held !== null) set({ held: null });
    else if (!dragged && app.game === null) set({ chosen: cell === null || same(cell, hands.chosen) ? null : cell });
  });
}

function bindKeys(canvas, hands, app, moment, set) {
  canvas.addEventListener("keydown", (event) => {
    const by = ARROWS[event.key], known = by !== undefined || ["Escape", "Enter", "Delete"].includes(event.key);
    if (moment() === null || app.game !== null || !known) return;
    event.preventDefault();
    if (event.key === "Escape") set(hands.held === null ? { chosen: null } : { held: null });
    else if (event.key === "Enter") {
      if (hands.held === null) take(hands, app, moment(), set);
      else put(hands, app, set);
    } else if (event.key === "Delete") removeAt(hands.chosen, app, moment());
    else step(hands, by, moment(), set);
  });
}

/** Choose the next cell; what is held comes along. */
function step(hands, [dx, dy], { track, frame }, set) {
  const { width, height } = track.header.world, [x, y] = hands.chosen ?? track.at("position", frame);
  const cell = [Math.max(0, Math.min(width - 1, x + dx)), Math.max(0, Math.min(height - 1, y + dy))];
  set({ chosen: cell, held: hands.held && { ...hands.held, x: cell[0], y: cell[1] } });
}

/** The cell of a pointer, [x, y]; null outside the grid. */
function cellOf(event, canvas, moment) {
  if (moment === null) return null;
  const { world } = moment.track.header, { side, left, top } = layOut(world, canvas.clientWidth, canvas.clientHeight);
  const [x, y] = [Math.floor((event.offsetX - left) / side), Math.floor((event.offsetY - top) / side)];
  return x >= 0 && y >= 0 && x < world.width && y < world.height ? [x, y] : null;
}

function same(one, other) {
  return other !== null && one[0] === other[0] && one[1] === other[1];
}

function drawButtons(hands, { move, remove, says }, app, moment) {
  const thing = moment === null ? undefined : thingAt(hands.chosen, app, moment);
  hands.root.hidden = thing === undefined && hands.held === null;
  move.hidden = hands.held !== null || thing === undefined;
  remove.hidden = move.hidden || thing.affordance === null;
  says.textContent = hands.held === null ? "" : "Choose its cell: by a click, or by arrows and Enter. Esc lets it be.";
}
