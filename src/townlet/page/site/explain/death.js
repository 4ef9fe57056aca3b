// How a life ended, told backwards: of what it died, what took from that meter and since when, and what could have been
// done. Each sentence names a frame, so that one can go and look.

import { actOf, tickTold } from "townlet/explain/cascades.js";
import { fillersOf, lacking } from "townlet/explain/help.js";
import { isOpen } from "townlet/explain/places.js";
import { eyesOf, placesAt, sightsOf } from "townlet/explain/sight.js";
import { full, listed, meterName, percent, placeName, sentence, stepsAway } from "townlet/explain/words.js";

const TOLD = 0.1; // a cause is told from this share of the losses on
const MOST_LINKS = 4; // meters of the chain, that of which it died among them
const PULLS = new Set(["pull", "drain"]);
const USES = new Set(["cost", "effect"]);
const HALF = 0.5; // a decline is told from here on

/** The end of a life: [{text, frame}], the end first. */
export function howItEnded(track) {
  const { life } = track, end = track.frames - 1;
  if (life.ended === "limit") return [said(`It was alive at the limit of ${end} steps.`, end), closestCall(track)];
  if (life.ended !== "death") {
    return [said(track.kind === "lived" ? `It is alive at step ${end}, and was not lived on from there.`
      : `This recording stops at step ${end}; the agent lived on.`, end)];
  }
  const name = meterName(track.header.world, life.cause);
  const told = [said(`It died at step ${end}: ${name} was empty.`, end), ...chain(track, life.cause)];
  return [...told, lastChance(track, life.cause)];
}

/** From a meter to what took most from it, and from that on, as long as it explains much: [{text, frame}]. */
function chain(track, fatal) {
  const told = [], seen = new Set([fatal]), asked = [{ meter: fatal, until: track.frames - 1 }];
  while (asked.length > 0 && seen.size <= MOST_LINKS) {
    const { meter, until } = asked.shift(), losses = lossesOf(track, meter, until);
    const named = losses.shares.filter(({ amount }) => amount >= TOLD * losses.total);
    if (meter === fatal) told.push(decline(track, meter, losses, named));
    for (const { kind, by } of named.filter((one) => PULLS.has(one.kind) && !seen.has(one.by))) {
      const since = lowSince(track, by, kind, until);
      seen.add(by);
      told.push(low(track, by, kind, since, meter === fatal ? null : meter));
      if (kind === "pull") asked.push({ meter: by, until: since });
    }
  }
  return told;
}

/**
 * What a meter lost up to a frame since it was last at half or above: {from, filled: {step, by} or null, total, got,
 * shares: [{kind, by, amount}], the largest first}. What it loses by itself and by moves is one share.
 */
export function lossesOf(track, meter, until) {
  const { world } = track.header, sums = new Map();
  let from = until, got = 0, filled = null;
  for (; from > 0 && track.value("meters", from, meter) < HALF; from--) {
    const act = actOf(track, from - 1), { causes } = tickTold(world, track.at("meters", from - 1), act);
    const gained = -causes[meter].reduce((sum, { kind, amount }) => sum + (USES.has(kind) ? amount : 0), 0);
    if (gained > 0) [got, filled] = [got + gained, filled ?? { step: from - 1, by: act.uses }];
    causes[meter].filter(({ kind }) => gained <= 0 || !USES.has(kind)).forEach((cause) => addTo(sums, cause));
  }
  const shares = [...sums.values()].sort((a, b) => b.amount - a.amount);
  return { from, filled, got, total: shares.reduce((sum, { amount }) => sum + amount, 0), shares };
}

function addTo(sums, { kind, by, amount }) {
  const told = kind === "move" ? "own" : USES.has(kind) ? "use" : kind;
  const key = `${told} ${by}`, sum = sums.get(key) ?? { kind: told, by, amount: 0 };
  sums.set(key, { ...sum, amount: sum.amount + amount });
}

/** How a meter came down from half, and what took it. */
function decline(track, meter, { from, got, filled, total }, named) {
  const { world } = track.header, name = meterName(world, meter);
  const took = named.map(({ kind, by, amount }) => {
    if (kind === "own") return `${percent(amount)} by itself and by moving`;
    if (kind === "use") return `${percent(amount)} at ${placeName(world, by)}`;
    return `${percent(amount)} to low ${meterName(world, by)}`;
  });
  const back = got > 0 ? `, and got ${percent(got)} back, last at ${placeName(world, filled.by)}` : "";
  return said(`From step ${from} on ${name} lost ${percent(total)}: ${listed(took)}${back}.`, from);
}

/** Since when a meter was low, when it was last filled, and what it pulled down, where that has not been said. */
function low(track, meter, kind, since, pulled) {
  const { world } = track.header, last = lastFilled(track, meter, since), share = percent(lineOf(world, kind));
  const filled = last === null ? "nothing had filled it before"
    : `last filled at step ${last.step}, at ${placeName(world, last.by)}`;
  const which = pulled === null ? "" : `, which wore down ${meterName(world, pulled)},`;
  return said(`${meterName(world, meter)}${which} was under ${share} from step ${since} on; ${filled}.`, since);
}

/** The last step before a frame in which a use filled a meter: {step, by} or null. */
function lastFilled(track, meter, until) {
  const { world } = track.header;
  for (let step = until - 1; step >= 0; step--) {
    const { uses } = actOf(track, step);
    if (uses !== null && fillersOf(world, meter).includes(uses)) return { step, by: uses };
  }
  return null;
}

/** Below this a meter is low: pulls begin at the threshold, drains grow all the way. */
function lineOf(world, kind) {
  return kind === "pull" ? world.threshold : HALF;
}

/** The first frame of the last stretch up to `until` in which a meter was low. */
function lowSince(track, meter, kind, until) {
  const isLow = (frame) => track.value("meters", frame, meter) < lineOf(track.header.world, kind);
  let frame = until;
  while (frame > 0 && !isLow(frame)) frame--;
  while (frame > 0 && isLow(frame - 1)) frame--;
  return frame;
}

/** The last frame at which it could have gone to a place that fills the meter, in time, and what it knew of that. */
function lastChance(track, meter) {
  const { world } = track.header, name = meterName(world, meter), end = track.frames - 1;
  const filling = fillersOf(world, meter);
  const knew = knowledge(track), found = { known: null, unknown: null };
  for (let frame = end - 1; frame >= 0 && found.known === null; frame--) {
    for (const affordance of filling) {
      const place = placesAt(track, frame)[affordance];
      const steps = place === null ? null : reachable(track, frame, affordance, place);
      if (steps === null) continue;
      found[knew(frame, affordance) ? "known" : "unknown"] ??= { frame, affordance, steps };
    }
  }
  const chance = found.known ?? found.unknown;
  if (chance === null) return said(`At no step it could have reached and paid a place that fills ${name}.`, 0);
  const { frame, affordance, steps } = chance, place = placeName(world, affordance);
  if (found.known === null) {
    const unknown = "but it had never stood there to know it";
    return said(`At step ${frame} ${place} was ${stepsAway(steps)} and it could pay, ${unknown}.`, frame);
  }
  const known = eyesOf(track.header).all ? "in view" : "where it had stood before";
  const where = `${place}, ${known}, was ${stepsAway(steps)}`;
  return said(`Until step ${frame} it could have saved itself: ${where}, and it could pay.`, frame);
}

/** The steps to a place, if an agent that walks there from a frame lives to use it; else null. */
function reachable(track, frame, affordance, [x, y]) {
  const { world } = track.header, [fromX, fromY] = track.at("position", frame);
  const steps = Math.abs(x - fromX) + Math.abs(y - fromY);
  let meters = track.at("meters", frame);
  if (!isOpen(track.header, world.affordances[affordance], track.value("tick", frame) + steps)) return null;
  for (let step = 0; step < steps; step++) {
    ({ meters } = tickTold(world, meters, { moved: true, uses: null, last: false }));
    if (dead(world, meters)) return null;
  }
  if (lacking(world, affordance, meters) !== null) return null;
  const last = world.affordances[affordance].ticks === 1;
  const used = tickTold(world, meters, { moved: false, uses: affordance, last });
  return dead(world, used.meters) ? null : steps;
}

function dead(world, meters) {
  return world.meters.some((row, meter) => row.lethal && meters[meter] <= world.empty);
}

/** Whether at a frame an agent knew where an affordance stands: it had stood there, or all is shown. */
function knowledge(track) {
  if (eyesOf(track.header).all) return () => true;
  const knew = Array.from({ length: track.frames }, (_, frame) => {
    const { stood } = sightsOf(track, frame), places = placesAt(track, frame);
    return stood.map((at, index) => at !== null && places[index]?.[0] === at.x && places[index]?.[1] === at.y);
  });
  return (frame, affordance) => knew[frame][affordance];
}

function closestCall(track) {
  const { world } = track.header, low = { value: Infinity, meter: 0, frame: 0 };
  world.meters.forEach(({ lethal }, meter) => {
    for (let frame = 0; lethal && frame < track.frames; frame++) {
      const value = track.value("meters", frame, meter);
      if (value < low.value) Object.assign(low, { value, meter, frame });
    }
  });
  if (low.value === Infinity) return said("Nothing in this level kills.", 0);
  return said(`Closest call: ${meterName(world, low.meter)} at ${full(low.value)}, at step ${low.frame}.`, low.frame);
}

function said(text, frame) {
  return { text: sentence(text), frame };
}
