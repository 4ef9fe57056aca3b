// Places that could help an agent at a frame: which ones it knows, how far they are, and what stands in the way.

import { actOf } from "townlet/explain/cascades.js";
import { isOpen } from "townlet/explain/places.js";
import { eyesOf, placesAt, sightsOf, visible } from "townlet/explain/sight.js";

/** The first meter of which there is too little to pay for a tick of an affordance; null where it can be paid. */
export function lacking(world, affordance, meters) {
  const short = world.affordances[affordance].cost.findIndex((cost, meter) => cost > meters[meter] + world.empty);
  return short < 0 ? null : short;
}

const WORTH = 0.15; // of the most that any place gives: what gives less is no help

/** The affordances that fill a meter, by what a whole interaction adds to it: indices. */
export function fillersOf(world, meter) {
  const gains = world.affordances.map(({ whole_effect: effect, whole_cost: cost }) => effect[meter] - cost[meter]);
  const enough = WORTH * Math.max(...gains);
  return gains.flatMap((gain, affordance) => gain > 0 && gain >= enough ? [affordance] : []);
}

/**
 * Places whose kind the agent knows, or could: those in view of all, else where it last stood on one:
 * [{affordance, x, y, age (ticks since it stood there, 0 where all is shown), inView, wrong}].
 */
export function knownPlaces(track, frame) {
  const places = placesAt(track, frame), { width } = track.header.world;
  if (eyesOf(track.header).all) {
    return places.flatMap((at, affordance) =>
      at === null ? [] : [{ affordance, x: at[0], y: at[1], age: 0, inView: true, wrong: false }]);
  }
  const { stood } = sightsOf(track, frame), cells = visible(track, frame);
  return stood.flatMap((at, affordance) => at === null ? [] : [{
    affordance, x: at.x, y: at.y, age: frame - at.frame, inView: cells[at.y * width + at.x] === 1,
    wrong: places[affordance]?.[0] !== at.x || places[affordance]?.[1] !== at.y,
  }]);
}

/**
 * Known places that fill a meter, the nearest that can be used first: as `knownPlaces`, with steps (to walk), open
 * (when the agent would arrive), lacks (a meter, see `lacking`).
 */
export function helpFor(track, frame, meter) {
  const { world } = track.header, meters = track.at("meters", frame), tick = track.value("tick", frame);
  const [x, y] = track.at("position", frame);
  const fillers = fillersOf(world, meter);
  const found = knownPlaces(track, frame).filter(({ affordance }) => fillers.includes(affordance));
  const rows = found.map((place) => {
    const steps = Math.abs(place.x - x) + Math.abs(place.y - y);
    const open = isOpen(track.header, world.affordances[place.affordance], tick + steps);
    return { ...place, steps, open, lacks: lacking(world, place.affordance, meters) };
  });
  const hindered = ({ open, lacks }) => Number(!open) + Number(lacks !== null);
  return rows.sort((a, b) => hindered(a) - hindered(b) || a.steps - b.steps);
}

/** The next use of a place from a step on: {affordance, step}; null where the life has none. */
export function nextUse(track, from) {
  for (let step = from; step < track.frames - 1; step++) {
    const { uses } = actOf(track, step);
    if (uses !== null) return { affordance: uses, step };
  }
  return null;
}
