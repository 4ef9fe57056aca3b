// A header's world as the rules look it up. The world computes in float32: each number is rounded to that here, once.

const { fround } = Math;

/** What this page cannot play; its message is one sentence for a person. */
export class UnknownError extends Error {}

/** The tables of a header's `world`: numbers for each meter as Float32Array, the rest as plain numbers. */
export function makeTables(world) {
  const { meters } = world;
  return {
    width: world.width,
    height: world.height,
    maxSteps: world.max_steps,
    dayTicks: world.day_ticks,
    window: world.window,
    empty: fround(world.empty),
    names: meters.map((meter) => meter.name),
    initial: Float32Array.from(meters, (meter) => meter.initial),
    passive: Float32Array.from(meters, (meter) => meter.passive),
    move: Float32Array.from(meters, (meter) => meter.move),
    lethal: meters.map((meter) => meter.lethal),
    drains: world.drains.map((one) => ({
      meter: one.meter,
      by: one.by,
      rate: fround(one.rate),
      atFull: fround(one.at_full),
      range: fround(one.at_empty - one.at_full),
    })),
    threshold: fround(world.threshold),
    cascades: world.cascades.map((group) => group.pulls.map((pull) => ({ ...pull, strength: fround(pull.strength) }))),
    affordances: world.affordances.map((one) => ({
      ticks: one.ticks,
      hours: one.hours,
      cost: Float32Array.from(one.cost),
      effect: Float32Array.from(one.effect),
      bonus: Float32Array.from(one.bonus),
    })),
    actions: world.actions,
    observation: world.observation,
  };
}
