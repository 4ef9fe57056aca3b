// What takes from each meter, cause by cause. The rules are those of a tick, in its order: a move, an interaction, what
// a meter loses by itself, drains, pulls of low meters group by group, bounds. Amounts are shares of full, below 0 for
// gains.

import { placesAt } from "townlet/explain/sight.js";
import { full, listed, meterName, percent, sentence, ticks } from "townlet/explain/words.js";

const WORTH_A_WORD = 0.1; // of what a meter loses in all: what takes less is left out

/** A tick without any action. `uses`: the affordance that is used; `last`: whether this ends its interaction. */
export const NOTHING_DONE = { moved: false, uses: null, last: false };

/**
 * One tick of meters, told: {meters: as the tick leaves them, causes: for each meter [{kind, by, amount}]}.
 * Kinds: "move"; "cost" and "effect", by an affordance; "own"; "drain" and "pull", by a meter.
 */
export function tickTold(world, meters, act = NOTHING_DONE) {
  const now = [...meters], causes = meters.map(() => []);
  const take = (meter, kind, by, amount) => {
    if (amount === 0) return;
    now[meter] -= amount;
    causes[meter].push({ kind, by, amount });
  };
  if (act.moved) world.meters.forEach((row, meter) => take(meter, "move", null, -row.move));
  if (act.uses !== null) use(world.affordances[act.uses], act, take);
  world.meters.forEach((row, meter) => take(meter, "own", null, -row.passive));
  drain(world, [...now], take);
  for (const group of world.cascades) {
    const found = [...now]; // a group reads meters as the group before left them
    for (const { source, target, strength } of group.pulls) {
      take(target, "pull", source, strength * Math.max(0, world.threshold - found[source]) / world.threshold);
    }
  }
  return { meters: now.map((value) => Math.min(1, Math.max(0, value))), causes };
}

function use(affordance, act, take) {
  affordance.cost.forEach((amount, meter) => take(meter, "cost", act.uses, amount));
  affordance.effect.forEach((amount, meter) => take(meter, "effect", act.uses, -amount));
  if (act.last) affordance.bonus.forEach((amount, meter) => take(meter, "effect", act.uses, -amount));
}

/** A drain has a part that is always lost, and one that grows as another meter falls. */
function drain(world, found, take) {
  for (const { meter, by, rate, at_full: full, at_empty: empty } of world.drains) {
    take(meter, "own", null, rate * full);
    if (by !== null) take(meter, "drain", by, rate * (empty - full) * (1 - found[by]));
  }
}

/** What the agent did in a step, as `tickTold` takes it. */
export function actOf(track, step) {
  const { world } = track.header;
  const [x, y] = track.at("position", step), after = track.at("position", step + 1);
  const moved = after[0] !== x || after[1] !== y, action = track.value("action", step);
  const possible = (track.value("allowed", step) >> action) & 1;
  if (moved || !possible || !world.actions[action].interacts) return { ...NOTHING_DONE, moved };
  const uses = placesAt(track, step).findIndex((place) => place !== null && place[0] === x && place[1] === y);
  const last = track.value("completed", step) < world.affordances.length;
  return { moved, uses: uses < 0 ? null : uses, last };
}

/**
 * What comes if nothing is done from these meters on: {empty: for each meter the ticks until it is empty, null where
 * that is beyond death or `limit`; death: {meter, ticks} or null}.
 */
export function outlook(world, meters, limit = world.max_steps) {
  const empty = meters.map((value) => value <= world.empty ? 0 : null);
  for (let tick = 1, now = meters; tick <= limit; tick++) {
    now = tickTold(world, now).meters;
    now.forEach((value, meter) => { if (value <= world.empty) empty[meter] ??= tick; });
    const dies = world.meters.findIndex((row, meter) => row.lethal && now[meter] <= world.empty);
    if (dies >= 0) return { empty, death: { meter: dies, ticks: tick } };
  }
  return { empty, death: null };
}

/** What presses on each meter in the tick from a frame on, if nothing is done: [{value, causes, loss, empty}]. */
export function pressures(track, frame) {
  const { world } = track.header, meters = track.at("meters", frame);
  const { causes } = tickTold(world, meters), { empty } = outlook(world, meters);
  return meters.map((value, meter) => {
    const loss = causes[meter].reduce((sum, { amount }) => sum + amount, 0);
    return { value, causes: causes[meter], loss, empty: empty[meter] };
  });
}

/**
 * The meter that is most urgent: the one that, were it full, would put death off longest. {meter, longer (ticks that
 * this would be), death as in `outlook`}; where none would, the emptiest of those from which something takes.
 */
export function mostUrgent(world, meters) {
  const { death } = outlook(world, meters);
  if (death === null) return { meter: emptiest(world, meters), longer: 0, death };
  const longer = meters.map((value, meter) => {
    const later = outlook(world, meters.with(meter, 1)).death;
    return (later === null ? world.max_steps : later.ticks) - death.ticks;
  });
  const most = Math.max(...longer);
  return { meter: most > 0 ? longer.indexOf(most) : emptiest(world, meters), longer: most, death };
}

function emptiest(world, meters) {
  const { causes } = tickTold(world, meters);
  const losing = meters.map((value, meter) => causes[meter].length > 0 ? value : Infinity);
  return losing.indexOf(Math.min(...losing));
}

/** What takes from a meter, in words: what it loses by itself, then each meter that takes much of it. */
export function pressureInWords(world, meters, meter, pressure) {
  const amountOf = (kind) => pressure.causes.reduce((sum, one) => sum + (one.kind === kind ? one.amount : 0), 0);
  const own = amountOf("own"), move = -world.meters[meter].move, name = meterName(world, meter);
  const others = pressure.causes.filter(({ kind, amount }) =>
    (kind === "pull" || kind === "drain") && amount >= WORTH_A_WORD * pressure.loss);
  if (own === 0 && others.length === 0) return `${sentence(name)} loses nothing by itself.`;
  const because = others.sort((a, b) => b.amount - a.amount).map(({ by, amount }, index) => {
    const more = own === 0 || index > 0 ? "" : " more";
    return `${percent(amount)}${more} because ${meterName(world, by)} is at ${full(meters[by])}`;
  });
  const first = own === 0 ? [] : [`${percent(Math.abs(own))} a tick`];
  const moving = move > 0 ? [`${percent(move)} more with a move`] : [];
  return `${sentence(name)} ${own < 0 ? "gains" : "loses"} ${[...first, ...because, ...moving].join(", ")}.`;
}

/** When a meter is empty, in words; "" where that is not in sight. */
export function emptyInWords(world, meter, empty) {
  if (empty === null) return "";
  const { lethal } = world.meters[meter];
  if (empty === 0) return `${sentence(meterName(world, meter))} is empty${lethal ? ": it is dead" : ""}.`;
  return `${lethal ? "Dead" : "Empty"} in ${ticks(empty)} if nothing is done.`;
}

/** What a low meter does to others, in words; "" where it does nothing. */
export function consequenceInWords(world, meter) {
  const pulled = [...new Set(world.cascades.flatMap(({ pulls }) =>
    pulls.filter(({ source }) => source === meter).map(({ target }) => meterName(world, target))))];
  if (pulled.length === 0) return "";
  return `Under ${percent(world.threshold)} it pulls down ${listed(pulled)}.`;
}
