// The memory lens: what each action is worth with the memory that the agent has, and what it would be with none.

import { actionName, figure } from "townlet/explain/words.js";
import { greedy } from "townlet/network/greedy.js";

/** Which actions a frame allows: [bool] by action. */
export function allowedAt(track, frame) {
  const bits = track.value("allowed", frame);
  return track.header.world.actions.map((_, action) => ((bits >> action) & 1) === 1);
}

/**
 * The lens at a step: {q, blank (null without memory), allowed, chosen, best, bestBlank, decided, cost, gap}; null
 * where no values are recorded, as in the last frame. `decided`: without memory it would have done something else;
 * `cost`: what that would lose by its own values; `gap`: how far memory moves values of allowed actions, on average.
 */
export function lensAt(track, step) {
  const q = track.at("q", step);
  if (q === null) return null;
  const blank = track.at("q_blank", step), allowed = allowedAt(track, step);
  const chosen = track.value("action", step), bits = track.value("allowed", step), first = greedy(q, bits);
  const best = q[chosen] === q[first] && allowed[chosen] ? chosen : first; // as stored, close values may be equal
  const bestBlank = blank === null ? null : greedy(blank, bits);
  const seen = { q, blank, allowed, chosen, best, bestBlank };
  if (blank === null) return { ...seen, decided: false, cost: 0, gap: 0 };
  const apart = q.map((value, action) => allowed[action] ? Math.abs(value - blank[action]) : 0);
  const gap = apart.reduce((sum, one) => sum + one, 0) / Math.max(1, allowed.filter(Boolean).length);
  return { ...seen, decided: best !== bestBlank, cost: q[best] - q[bestBlank], gap };
}

/** What the lens shows, in a sentence; `open` where the life goes on after what is known of it. */
export function lensInWords(world, lens, open = false) {
  if (lens === null && open) return "What it chooses here is not known: no step was taken from here yet.";
  if (lens === null) return "The life has ended: there is nothing left to choose.";
  const name = (action) => actionName(world, action);
  const strayed = lens.chosen === lens.best ? "" : ` It did ${name(lens.chosen)} all the same.`;
  if (lens.blank === null) return `It has no memory, and goes by what it sees now.${strayed}`;
  if (lens.decided) {
    return `Memory decided: without it ${name(lens.bestBlank)}, worth ${figure(lens.cost)} less.${strayed}`;
  }
  return `Memory or not: ${name(lens.best)} is best.${strayed}`;
}
