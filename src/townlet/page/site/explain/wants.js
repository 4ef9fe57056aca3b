// What an agent wants now, in words for somebody who sees the town for the first time.

import { mostUrgent, tickTold } from "townlet/explain/cascades.js";
import { helpFor, nextUse } from "townlet/explain/help.js";
import { hoursOf } from "townlet/explain/places.js";
import { eyesOf, remembered } from "townlet/explain/sight.js";
import { full, listed, meterName, percent, placeName, sentence, stepsAway, ticks } from "townlet/explain/words.js";

const FULL = 0.5; // an agent all of whose meters are above is well

/** What it needs, what could help, what it does: [{text, frame}], `frame` to jump to or null. */
export function wantsInWords(track, frame) {
  const { world } = track.header, meters = track.at("meters", frame);
  if (frame === track.frames - 1 && track.life.ended === "death") {
    return [said(`It is dead: ${meterName(world, track.life.cause)} is empty.`)];
  }
  const need = mostUrgent(world, meters);
  const helps = helpFor(track, frame, need.meter);
  return [needInWords(world, meters, need), helpInWords(track, frame, meters, helps), doesInWords(track, frame)];
}

/** The values of meters from which something takes. */
function losing(world, meters) {
  const { causes } = tickTold(world, meters);
  return meters.filter((_, meter) => causes[meter].length > 0);
}

function needInWords(world, meters, { meter, death }) {
  const name = meterName(world, meter), left = full(meters[meter]);
  if (death === null) return said(`Nothing is urgent. Lowest is ${name}, at ${left}.`);
  const doom = `doing nothing it would be dead in ${ticks(death.ticks)}`;
  if (Math.min(...losing(world, meters)) >= FULL) {
    return said(`It is well: ${doom}, and ${meterName(world, death.meter)} would be empty first.`);
  }
  if (death.meter === meter) return said(`It needs ${name} most: ${left} is left, and ${doom}.`);
  return said(`It needs ${name} most: at ${left} it wears down ${meterName(world, death.meter)}, and ${doom}.`);
}

function helpInWords(track, frame, meters, helps) {
  const { world } = track.header;
  if (helps.length === 0) return said(nothingKnown(track, frame));
  const [best] = helps, name = placeName(world, best.affordance);
  const since = best.age === 0 ? "" : `, last visited ${ticks(best.age)} ago`;
  const where = best.steps === 0 ? "underfoot"
    : `${stepsAway(best.steps)}${best.inView ? "" : ", out of view"}${since}`;
  return said([`What helps: ${name}, ${where}.`, ...hindrances(track.header, meters, best)].join(" "));
}

function nothingKnown(track, frame) {
  if (eyesOf(track.header).all) return "No place on this map helps.";
  const unnamed = remembered(track, frame).filter(({ named }) => !named).length;
  if (unnamed === 0) return "It has stood on no place yet that helps: it has to search.";
  const places = unnamed === 1 ? "a place it passed, without learning what it is, may be one"
    : `${unnamed} places it passed, without learning what they are, may be among them`;
  return `It has stood on no place yet that helps; ${places}.`;
}

function hindrances(header, meters, { affordance, open, lacks, wrong }) {
  const { world } = header, { cost } = world.affordances[affordance], told = [];
  if (wrong) told.push("But it stands there no longer.");
  if (!open) told.push(`It is shut then, and open ${hoursOf(header, world.affordances[affordance])}.`);
  if (lacks !== null) {
    const has = `${percent(Math.floor(meters[lacks] * 1000) / 1000)} of ${meterName(world, lacks)}`;
    told.push(`It cannot pay: that takes ${percent(cost[lacks])}, and it has ${has}.`);
  }
  return told;
}

function doesInWords(track, frame) {
  const { world } = track.header;
  if (frame >= track.frames - 1) return said("Its life ends here.");
  const next = nextUse(track, frame), { name: action, dx, dy } = world.actions[track.value("action", frame)];
  const does = action.toLowerCase();
  const goes = dx !== 0 || dy !== 0 ? `It goes ${does}` : `It does ${does}`;
  if (next === null) return said(`${goes}. It uses no place any more.`);
  const { whole_effect: effect } = world.affordances[next.affordance], name = placeName(world, next.affordance);
  const gives = effect.flatMap((gain, meter) => gain > 0 ? [meterName(world, meter)] : []);
  const for_ = gives.length === 0 ? "" : ` (${listed(gives)})`;
  if (next.step === frame) return said(`It uses ${name}${for_}.`);
  return said(`${goes}. It will use ${name}${for_} in ${ticks(next.step - frame)}.`, next.step);
}

function said(text, frame = null) {
  return { text: sentence(text), frame };
}
