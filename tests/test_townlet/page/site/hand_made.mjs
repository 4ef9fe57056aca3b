// Lives made by hand for tests: a small world whose numbers are easily reckoned, and tracks in it.

/** Five cells by three. Food is vital; joy, where it is low, pulls it down. A farm feeds, a fair gives joy for food. */
export function smallWorld(changes = {}) {
  return {
    width: 5, height: 3, max_steps: 100, day_ticks: null, empty: 1e-6, threshold: 0.25, window: 3,
    meters: [
      { name: "food", initial: 1, passive: -0.01, move: -0.02, lethal: true },
      { name: "joy", initial: 1, passive: -0.05, move: 0, lethal: false },
    ],
    drains: [],
    cascades: [{ name: "only", pulls: [{ source: 1, target: 0, strength: 0.1 }] }],
    affordances: [
      place("CornFarm", [0, 0], [0.5, 0]),
      place("Fair", [0.1, 0], [0, 0.5]),
    ],
    actions: [
      { name: "WEST", dx: -1, dy: 0, interacts: false }, { name: "EAST", dx: 1, dy: 0, interacts: false },
      { name: "USE", dx: 0, dy: 0, interacts: true }, { name: "REST", dx: 0, dy: 0, interacts: false },
    ],
    reward: { gamma: 0.5 }, terms: ["alive", "death"],
    observation: ["window", "position", "meters", "underfoot"].map((name) => ({ name, start: 0, width: 1 })),
    ...changes,
  };
}

function place(name, cost, effect) {
  return { name, ticks: 1, hours: null, cost, effect, bonus: [0, 0], whole_cost: cost, whole_effect: effect };
}

/** A life: `columns` by name, each [[components] for each time]; what is not given is made up. */
export class HandTrack {
  kind = "recorded";
  changes = [];

  constructor(columns, { world = smallWorld(), places = [[0, 1], [4, 1]], network = {}, memory = [], life = {} } = {}) {
    const steps = columns.position.length - 1, everything = 2 ** world.actions.length - 1;
    this.header = { world, network: { sightings: false, ...network }, memory };
    this.life = { agent: 0, places, length: steps, ended: "limit", cause: null, total_reward: 0, ...life };
    this.columns = {
      tick: columns.position.map((_, time) => [time]),
      progress: columns.position.map(() => [0]),
      meters: columns.position.map(() => world.meters.map(() => 1)),
      allowed: columns.position.map(() => [everything]),
      action: Array.from({ length: steps }, () => [3]),
      completed: Array.from({ length: steps }, () => [world.affordances.length]),
      reward: Array.from({ length: steps }, () => world.terms.map(() => 0)),
      ...columns,
    };
  }

  get frames() {
    return this.life.length + 1;
  }

  has(name) {
    return name in this.columns;
  }

  at(name, time) {
    return this.columns[name]?.[time] ?? null;
  }

  value(name, time, component = 0) {
    return this.at(name, time)?.[component] ?? null;
  }
}

/** Columns of a walk along the middle row: [x, ...] at each frame. */
export function walk(...columns) {
  return columns.map((x) => [x, 1]);
}
