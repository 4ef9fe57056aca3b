// What is honest to say of an agent's memory: what its network holds for certain, and what it could only have kept.

import { eyesOf, held, remembered } from "townlet/explain/sight.js";
import { listed, placeName } from "townlet/explain/words.js";

/** In a sentence or two, what the agent could remember at a frame, and of which memory that is known. */
export function holdingInWords(track, frame) {
  const { header } = track;
  if (eyesOf(header).all) return "In this level all is in view: nothing has to be remembered.";
  if (header.memory.length === 0) return "This network has no memory. What is out of view is gone for it.";
  const exact = held(track, frame);
  if (exact !== null) return exactly(header, exact);
  const ghosts = remembered(track, frame);
  if (ghosts.length === 0) return "It has seen no place yet that is out of view now.";
  const wrong = ghosts.filter((ghost) => ghost.wrong).length;
  const moved = wrong === 0 ? "" : ` Gone by now: ${wrong} of ${ghosts.length}.`;
  const places = ghosts.length === 1 ? "one place" : `${ghosts.length} places`;
  return `Out of view now, but seen before: ${places}. It could remember that. Whether it does shows in what it ` +
    `chooses: its network keeps no list of places.${moved}`;
}

function exactly(header, rows) {
  if (rows.length === 0) return "Its network notes each place that it stands on. It has stood on none yet.";
  const names = [...rows].sort((a, b) => a.age - b.age).map(({ affordance, age, wrong }) =>
    `${placeName(header.world, affordance)} ${age}${wrong ? " (gone by now)" : ""}`);
  return `Its network notes each place that it stands on. So it holds for certain, ticks ago: ${listed(names)}.`;
}

/** The parts of a network's memory, one after the other: [{name, from, units}]. */
export function partsOf(header) {
  let from = 0;
  return header.memory.map(({ name, units }) => {
    from += units;
    return { name, from: from - units, units };
  });
}

/** How large the memory is at a frame, the root of the mean of its squares; null where that frame is not recorded. */
export function normAt(track, frame) {
  const units = track.at("memory", frame);
  if (units === null) return null;
  return Math.sqrt(units.reduce((sum, one) => sum + one * one, 0) / units.length);
}
