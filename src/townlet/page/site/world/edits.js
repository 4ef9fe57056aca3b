// What a person may change in a state by hand: each function returns a new state, and refuses what no world holds.

import { onGrid } from "townlet/world/rules.js";

/** A change that cannot be made; its message is one sentence for a person. */
export class EditError extends Error {}

/** The state with the agent in another cell; what it had begun where it was is forfeited, as by moving. */
export function putAgent(world, state, x, y) {
  if (!onGrid(world.tables, x, y)) throw outside(world, x, y);
  return x === state.x && y === state.y ? state : { ...state, x, y, progress: 0 };
}

/** The state with an affordance in a cell that is free of others. Where the agent stands on either, progress is 0. */
export function putPlace(world, state, affordance, x, y) {
  if (!onGrid(world.tables, x, y)) throw outside(world, x, y);
  const taken = state.places.findIndex((place) => place !== null && place[0] === x && place[1] === y);
  if (taken === affordance) return state;
  if (taken >= 0) throw new EditError(`Another place stands on ${cellName(x, y)} already; choose a free one.`);
  return withPlace(world, state, affordance, [x, y]);
}

/** The state without an affordance. */
export function removePlace(world, state, affordance) {
  return state.places[affordance] === null ? state : withPlace(world, state, affordance, null);
}

/** The state with a meter, by index, at a share of full from 0 to 1. */
export function setMeter(world, state, meter, share) {
  if (!(meter in world.tables.names)) throw new EditError(`There is no meter of index ${meter} in this world.`);
  if (!(share >= 0 && share <= 1)) throw new EditError(`A meter lies between 0 and 1, not at ${share}.`);
  return { ...state, meters: state.meters.map((level, index) => (index === meter ? share : level)) };
}

/** The state at another tick of the life: from 0 to before the step limit. */
export function setTick(world, state, tick) {
  const most = world.tables.maxSteps - 1;
  if (!Number.isInteger(tick) || tick < 0 || tick > most) {
    throw new EditError(`The tick is a whole number from 0 to ${most}, not ${tick}.`);
  }
  return { ...state, tick };
}

/** The state at another hour of the same day of its life; of the day before, where the step limit comes first. */
export function setHour(world, state, hour) {
  const { dayTicks, maxSteps } = world.tables;
  if (dayTicks === null) throw new EditError("This world has no day, so no hour can be chosen.");
  if (!Number.isInteger(hour) || hour < 0 || hour >= dayTicks) {
    throw new EditError(`The hour is a whole number from 0 to ${dayTicks - 1}, not ${hour}.`);
  }
  const tick = state.tick - (state.tick % dayTicks) + hour;
  return setTick(world, state, tick >= maxSteps && tick >= dayTicks ? tick - dayTicks : tick);
}

/** A cell as a person counts, from 1. */
export function cellName(x, y) {
  return `column ${x + 1}, row ${y + 1}`;
}

function withPlace(world, state, affordance, to) {
  if (!(affordance in state.places)) throw new EditError(`There is no place of index ${affordance} in this world.`);
  const under = (place) => place !== null && place[0] === state.x && place[1] === state.y;
  const progress = under(state.places[affordance]) || under(to) ? 0 : state.progress;
  return { ...state, places: state.places.map((place, index) => (index === affordance ? to : place)), progress };
}

function outside({ tables: { width, height } }, x, y) {
  return new EditError(`There is no ${cellName(x, y)} on this map, which has ${width} columns and ${height} rows.`);
}
