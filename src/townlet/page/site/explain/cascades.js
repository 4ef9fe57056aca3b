// What takes from each meter, cause by cause: each rule of a tick is asked for by itself, in the order of the tick, and
// what it leaves is compared with what it found. Amounts are shares of full, below 0 for gains.

import { placesAt } from "townlet/explain/sight.js";
import { full, listed, meterName, percent, sentence, ticks } from "townlet/explain/words.js";
import { cascade, changePassively, drain, give, goBy, pay, payForMoving, share } from "townlet/world/rules.js";
import { makeTables } from "townlet/world/tables.js";

const FINE = 1e6; // amounts are told in millionths of full: what is finer is how meters are rounded
const WORTH_A_WORD = 0.1; // of what a meter loses in all: what takes less is left out

/** A tick without any action. `uses`: the affordance that is used; `last`: whether this ends its interaction. */
export const NOTHING_DONE = { moved: false, uses: null, last: false };

const known = new WeakMap(); // tables, by the world that they are of

function tablesOf(world) {
  if (!known.has(world)) known.set(world, makeTables(world));
  return known.get(world);
}

/**
 * One tick of meters, told: {meters: as the tick leaves them, causes: for each meter [{kind, by, amount}]}.
 * Kinds: "move"; "cost" and "effect", by an affordance; "own"; "drain" and "pull", by a meter.
 */
export function tickTold(world, meters, act = NOTHING_DONE) {
  const tables = tablesOf(world), causes = meters.map(() => []);
  const tell = (kind, by, before, after) => {
    before.forEach((level, meter) => {
      const amount = Math.round((level - after[meter]) * FINE) / FINE;
      if (amount !== 0) causes[meter].push({ kind, by, amount });
    });
    return after;
  };
  let now = Float32Array.from(meters);
  now = tell("move", null, now, payForMoving(tables, now, act.moved));
  if (act.uses !== null) now = use(tables.affordances[act.uses], act, now, tell);
  now = tell("own", null, now, changePassively(tables, now));
  now = drainTold(tables, now, tell);
  for (const pulls of tables.cascades) now = pullsTold(tables, pulls, now, tell);
  return { meters: [...now.map(share)], causes };
}

function use({ cost, effect, bonus }, { uses, last }, meters, tell) {
  const paid = tell("cost", uses, meters, pay(meters, cost)), given = tell("effect", uses, paid, give(paid, effect));
  return last ? tell("effect", uses, given, give(given, bonus)) : given;
}

/** A drain has a part that is always lost, and one that grows as another meter falls. */
function drainTold({ drains }, meters, tell) {
  for (const one of drains) {
    const always = tell("own", null, meters, drain({ drains: [{ ...one, range: 0 }] }, meters));
    tell("drain", one.by, always, drain({ drains: [one] }, meters));
  }
  return drain({ drains }, meters);
}

/** Each pull of a group reads meters as the group found them. */
function pullsTold({ threshold }, pulls, meters, tell) {
  for (const pull of pulls) tell("pull", pull.source, meters, cascade({ threshold, cascades: [[pull]] }, meters));
  return cascade({ threshold, cascades: [pulls] }, meters);
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
  const tables = tablesOf(world), empty = meters.map((value) => value <= world.empty ? 0 : null);
  for (let tick = 1, now = Float32Array.from(meters); tick <= limit; tick++) {
    now = goBy(tables, now);
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
