// The rules of the world, in the order in which one tick applies them: environment/rules.py for one agent.
//
// Meters are Float32Arrays, which round what is put into them; whatever is not put there at once, Math.fround rounds,
// in the order in which Python does it. All functions are pure: none changes what it is given.

const { fround } = Math;

/**
 * Apply one tick to a state by the action of index `action`. Meters are told as the tick `found` them, as they were
 * `before` its interaction, `after` it, and as it leaves them, in `state`; `completed` is the affordance whose
 * interaction ended, their number for none; `cause` the meter of which the agent died, null for none.
 */
export function tick(tables, state, action) {
  const chosen = tables.actions[action];
  const moved = canMove(tables, state, chosen);
  const at = { ...state, ...(moved && { x: state.x + chosen.dx, y: state.y + chosen.dy, progress: 0 }) };
  const before = payForMoving(tables, state.meters, moved);
  const used = interact(tables, at, before, chosen.interacts && !moved);
  const meters = goBy(tables, used.meters);
  const cause = causeOfDeath(tables, meters);
  const died = cause !== null;
  const now = { ...at, meters, progress: used.progress, tick: state.tick + 1 };
  const truncated = !died && now.tick >= tables.maxSteps;
  const { completed, meters: after } = used;
  return { state: now, found: state.meters, before, after, completed, died, truncated, cause };
}

/** Meters after what a tick does to them by itself: each changes, some drain, low ones pull others, all have bounds. */
export function goBy(tables, meters) {
  let after = changePassively(tables, meters);
  after = drain(tables, after);
  after = cascade(tables, after);
  return after.map(share);
}

/** Whether an action may be taken: it stays on the grid, or uses what is open and can be paid, or does neither. */
export function canAct(tables, state, chosen) {
  if (chosen.interacts) return canInteract(tables, underfoot(tables, state), state.tick, state.meters);
  return (chosen.dx === 0 && chosen.dy === 0) || canMove(tables, state, chosen);
}

/** Whether an action moves the agent: it has a direction, and stays on the grid. */
export function canMove(tables, { x, y }, { dx, dy }) {
  return (dx !== 0 || dy !== 0) && onGrid(tables, x + dx, y + dy);
}

/** Whether a cell is one of the grid's. */
export function onGrid({ width, height }, x, y) {
  return Number.isInteger(x) && Number.isInteger(y) && x >= 0 && y >= 0 && x < width && y < height;
}

/** The affordance where the agent is, their number for none. */
export function underfoot(tables, { x, y, places }) {
  const found = places.findIndex((place) => place !== null && place[0] === x && place[1] === y);
  return found < 0 ? tables.affordances.length : found;
}

/** Whether something stands there that is open and whose tick can be paid in full. */
export function canInteract(tables, affordance, tick, meters) {
  if (affordance === tables.affordances.length || !isOpen(tables, affordance, tick)) return false;
  return tables.affordances[affordance].cost.every((cost, meter) => cost <= fround(meters[meter] + tables.empty));
}

/** Whether an affordance is open at a tick: from its first hour to before its second, which may be past midnight. */
export function isOpen({ dayTicks, affordances }, affordance, tick) {
  const { hours } = affordances[affordance];
  if (hours === null || dayTicks === null) return true;
  const [opens, closes] = hours, hour = tick % dayTicks;
  return opens < closes ? hour >= opens && hour < closes : hour >= opens || hour < closes;
}

/** Meters after what a move costs who moved. */
export function payForMoving({ move }, meters, moved) {
  return moved ? meters.map((level, meter) => level + move[meter]) : meters;
}

/** Pay one tick of the interaction underfoot and take its effects; the last tick adds the bonus. */
function interact(tables, state, before, wants) {
  const affordance = underfoot(tables, state), none = tables.affordances.length;
  if (!wants || !canInteract(tables, affordance, state.tick, before)) {
    return { meters: before, progress: state.progress, completed: none };
  }
  const { ticks, cost, effect, bonus } = tables.affordances[affordance];
  const done = state.progress + 1, last = done >= ticks;
  let meters = give(pay(before, cost), effect);
  if (last) meters = give(meters, bonus);
  return { meters, progress: last ? 0 : done, completed: last ? affordance : none };
}

/** Meters less what is paid of each. */
export function pay(meters, cost) {
  return meters.map((level, meter) => level - cost[meter]);
}

/** Meters and what is given to each. */
export function give(meters, effect) {
  return meters.map((level, meter) => level + effect[meter]);
}

/** Meters after what each changes by itself. */
export function changePassively({ passive }, meters) {
  return give(meters, passive);
}

/** Losses that grow as another meter falls; where that is absent it counts as full. */
export function drain({ drains }, meters) {
  const after = meters.slice();
  for (const { meter, by, rate, atFull, range } of drains) {
    const missing = by === null ? 0 : fround(1 - meters[by]);
    after[meter] -= fround(rate * fround(atFull + fround(range * missing)));
  }
  return after;
}

/** Low meters pull others down: groups in order, each reading the meters as the group before left them. */
export function cascade({ threshold, cascades }, meters) {
  let after = meters;
  for (const pulls of cascades) {
    const read = after;
    after = read.slice();
    for (const { source, target, strength } of pulls) {
      const shortfall = fround(Math.max(fround(threshold - read[source]), 0) / threshold);
      after[target] -= fround(strength * shortfall);
    }
  }
  return after;
}

/** The first lethal meter that is empty, null for none. */
function causeOfDeath({ lethal, empty }, meters) {
  const found = lethal.findIndex((deadly, meter) => deadly && meters[meter] <= empty);
  return found < 0 ? null : found;
}

/** A meter as a tick leaves it: a share of full. */
export function share(level) {
  return Math.min(Math.max(level, 0), 1);
}
