// Bookmarks that the page sets by itself: moments of a life that are worth a look, few of each kind.

import { actOf } from "townlet/explain/cascades.js";
import { lensAt } from "townlet/explain/lens.js";
import { eyesOf, placesAt, visible } from "townlet/explain/sight.js";
import { actionName, figure, listed, meterName, percent, placeName, sentence } from "townlet/explain/words.js";
import { greedy } from "townlet/network/greedy.js";

const APART = 12; // frames between two bookmarks of one kind that is ranked
const MOST = { memory: 6, surprise: 4, low: 8 }; // of a life
const LONG = 20; // ticks without a use that are worth a word
const BRIEF = 10; // ticks under the threshold that are not

const known = new WeakMap(); // by track: {events, state}, as long as the life does not go on

/** The bookmarks of a life in order of time: [{frame, kind, text}]; kinds are those of `KINDS`. */
export function eventsOf(track) {
  const state = `${track.frames} ${track.changes.length} ${track.life.ended}`;
  if (known.get(track)?.state !== state) known.set(track, { events: found(track), state });
  return known.get(track).events;
}

function found(track) {
  const all = [changed(track), memory(track), surprises(track), firstSights(track), firstUses(track), lows(track),
    wander(track), [end(track)]];
  return all.flat().sort((a, b) => a.frame - b.frame);
}

/** What each kind of bookmark is, by kind. */
export const KINDS = {
  end: "how it ends",
  change: "changed by hand",
  memory: "memory decided",
  surprise: "surprise",
  sight: "first seen",
  use: "first used",
  low: "runs low",
  wander: "longest search",
};

function end(track) {
  const { life } = track, frame = track.frames - 1;
  const name = life.ended === "death" ? meterName(track.header.world, life.cause) : null;
  if (name !== null) return { frame, kind: "end", text: `Dies: ${name} is empty` };
  const open = track.kind === "lived" ? "Lived up to here" : "The recording stops here";
  return { frame, kind: "end", text: life.ended === "limit" ? "Alive at the limit" : open };
}

function changed(track) {
  return track.changes.map(({ frame, what }) => ({ frame, kind: "change", text: what }));
}

/** Where memory decided, those first that would have cost most without it. */
function memory(track) {
  const { world } = track.header, found = [];
  for (let step = 0; step < track.frames - 1; step++) {
    const lens = lensAt(track, step);
    if (!lens?.decided) continue;
    const text = `Memory decided: ${actionName(world, lens.best)}, not ${actionName(world, lens.bestBlank)}`;
    found.push({ frame: step, kind: "memory", text, rank: lens.cost });
  }
  return ranked(found, MOST.memory);
}

/** The error of a step's value against what came: reward + gamma * best value after it - value; null at a cut end. */
export function surpriseAt(track, step) {
  const q = track.at("q", step);
  if (q === null) return null;
  const dies = step === track.life.length - 1 && track.life.ended === "death", next = track.at("q", step + 1);
  if (next === null && !dies) return null; // the end still has a value that is not recorded
  const after = dies ? 0 : next[greedy(next, track.value("allowed", step + 1))];
  const reward = track.at("reward", step).reduce((sum, one) => sum + one, 0);
  return reward + track.header.world.reward.gamma * after - q[track.value("action", step)];
}

function surprises(track) {
  const found = [];
  for (let step = 0; step < track.frames - 1; step++) {
    const error = surpriseAt(track, step);
    if (error === null) continue;
    const { uses } = actOf(track, step);
    const where = uses === null ? "" : ` at ${placeName(track.header.world, uses)}`;
    const text = `${error > 0 ? "Better" : "Worse"} than it expected${where}, by ${figure(Math.abs(error))}`;
    found.push({ frame: step, kind: "surprise", text, rank: Math.abs(error) });
  }
  return ranked(found, MOST.surprise);
}

/** When each place comes into view for the first time; what is in view from the start is no news. */
function firstSights(track) {
  if (eyesOf(track.header).all) return [];
  const { world } = track.header, seen = new Set(), found = [];
  for (let frame = 0; frame < track.frames; frame++) {
    const cells = visible(track, frame);
    const fresh = placesAt(track, frame).flatMap((at, affordance) =>
      at !== null && !seen.has(affordance) && cells[at[1] * world.width + at[0]] === 1 ? [affordance] : []);
    fresh.forEach((affordance) => seen.add(affordance));
    if (fresh.length === 0 || frame === 0) continue;
    const names = listed(fresh.map((affordance) => placeName(world, affordance)));
    found.push({ frame, kind: "sight", text: `First sees ${names}` });
  }
  return found;
}

function firstUses(track) {
  const { world } = track.header, used = new Set(), found = [];
  for (let step = 0; step < track.frames - 1; step++) {
    const { uses } = actOf(track, step);
    if (uses === null || used.has(uses)) continue;
    used.add(uses);
    found.push({ frame: step, kind: "use", text: `First uses ${placeName(world, uses)}` });
  }
  return found;
}

/** When a meter that pulls on others falls under the threshold; longest stretches first. */
function lows(track) {
  const { world } = track.header, { cascades, threshold } = world, found = [];
  for (const meter of new Set(cascades.flatMap(({ pulls }) => pulls.map(({ source }) => source)))) {
    let since = null;
    for (let frame = 0; frame <= track.frames; frame++) {
      const low = frame < track.frames && track.value("meters", frame, meter) < threshold;
      if (low) since ??= frame;
      else if (since !== null) {
        const text = `${sentence(meterName(world, meter))} falls under ${percent(threshold)}`;
        if (frame - since > BRIEF) found.push({ frame: since, kind: "low", text, rank: frame - since });
        since = null;
      }
    }
  }
  return ranked(found, MOST.low, 0);
}

/** The longest time without the use of a place. */
function wander(track) {
  let longest = { from: 0, length: 0 }, from = 0;
  for (let step = 0; step < track.frames; step++) {
    if (step < track.frames - 1 && actOf(track, step).uses === null) continue;
    if (step - from > longest.length) longest = { from, length: step - from };
    from = step + 1;
  }
  if (longest.length < LONG) return [];
  return [{ frame: longest.from, kind: "wander", text: `Uses no place for ${longest.length} ticks, longer than ever` }];
}

/** The highest by `rank`, `most` of them, none nearer than `apart` frames to a higher one. */
function ranked(found, most, apart = APART) {
  const kept = [];
  for (const one of found.sort((a, b) => b.rank - a.rank)) {
    if (kept.length === most) break;
    if (kept.every(({ frame }) => Math.abs(frame - one.frame) >= apart)) kept.push(one);
  }
  return kept.map(({ frame, kind, text }) => ({ frame, kind, text }));
}
