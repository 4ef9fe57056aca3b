// What a place is, in words, and what time it is.

import { words } from "townlet/explain/words.js";
import { isOpen as openAt } from "townlet/world/rules.js";

/** The hour of a tick, 0 to below 24; null in a level without days. */
export function hourOf(header, tick) {
  const day = header.world.day_ticks;
  return day === null ? null : ((tick % day) * 24) / day;
}

/** A time of the day as a clock shows it: 6.5 is "06:30". */
export function clock(hour) {
  const minutes = Math.round(hour * 60) % (24 * 60);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** The day and the time of a tick: "day 2, 06:00"; null in a level without days. */
export function dayAndTime(header, tick) {
  const hour = hourOf(header, tick);
  return hour === null ? null : `day ${Math.floor(tick / header.world.day_ticks) + 1}, ${clock(hour)}`;
}

/** How dark it is, 0 by day to 1 in the middle of the night: it dawns around 6 and sets around 19. */
export function darkness(hour) {
  if (hour === null) return 0;
  const smooth = (share) => share * share * (3 - 2 * share);
  const within = (from, to) => smooth(Math.max(0, Math.min(1, (hour - from) / (to - from))));
  return hour < 12 ? 1 - within(4.5, 7.5) : within(17.5, 20.5);
}

/** Whether a place, a row of the header, is open at a tick. */
export function isOpen(header, affordance, tick) {
  return openAt({ dayTicks: header.world.day_ticks, affordances: [affordance] }, 0, tick);
}

/** The hours of a place: "08:00 to 18:00"; null where it is open all day. */
export function hoursOf(header, affordance) {
  if (affordance.hours === null || header.world.day_ticks === null) return null;
  return affordance.hours.map((tick) => clock(hourOf(header, tick))).join(" to ");
}

/** What a place does, in sentences: what it gives, takes and costs, how long it takes, when it is open. */
export function tellPlace(header, index, tick) {
  const affordance = header.world.affordances[index], { meters } = header.world;
  const change = meters.map((meter, i) => [words(meter.name).toLowerCase(), affordance.whole_effect[i] - affordance.whole_cost[i]]);
  const list = (of) => of.map(([name, by]) => `${name} ${by > 0 ? "+" : "−"}${percent(Math.abs(by))}`).join(", ");
  const gives = list(change.filter(([, by]) => by > 0)), takes = list(change.filter(([, by]) => by < 0));
  const said = [gives && `Gives ${gives}.`, takes && `Takes ${takes}.`];
  said.push(affordance.ticks > 1 ? `Lasts ${affordance.ticks} steps.` : "");
  const hours = hoursOf(header, affordance);
  if (hours !== null) said.push(`Open ${hours}${isOpen(header, affordance, tick) ? "" : ", now shut"}.`);
  return said.filter(Boolean).join(" ") || "Changes nothing.";
}

/** A share as a percentage without needless digits: 0.1125 is "11.25%". */
export function percent(share) {
  return `${Number((share * 100).toFixed(2))}%`;
}

/** What the agent does in the step after a frame, or how it ended, in words. */
export function tellStep(track, frame) {
  const { world } = track.header, { life } = track, taken = track.value("action", frame);
  if (taken === null) return tellEnd(track);
  const action = world.actions[taken];
  if (!action.interacts) return MOVES[`${action.dx},${action.dy}`] ?? words(action.name.toLowerCase());
  const [x, y] = track.at("position", frame), places = track.places?.(frame) ?? life.places;
  const here = places.findIndex((at) => at !== null && at[0] === x && at[1] === y);
  if (here < 0) return "Uses what is not there";
  const { name, ticks } = world.affordances[here], done = track.value("progress", frame);
  return `Uses ${words(name).toLowerCase()}${ticks > 1 ? `, step ${done + 1} of ${ticks}` : ""}`;
}

const MOVES = { "0,-1": "Goes up", "0,1": "Goes down", "-1,0": "Goes left", "1,0": "Goes right" };

function tellEnd({ header, life, kind }) {
  if (life.ended === "death") return `Died: ${words(header.world.meters[life.cause].name).toLowerCase()} was empty`;
  return life.ended === "limit" ? "Lived to the end" : kind === "lived" ? "Lived up to here" : "The recording ends here";
}
