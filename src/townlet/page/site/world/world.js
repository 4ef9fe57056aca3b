// The world of one agent, played in the page from a header's tables alone: no meter, place or action is known by name.
//
// A state is a plain object that is never changed, only followed by another: {x, y: its cell; meters: Float32Array of
// shares of full; progress: ticks done of the interaction underfoot; tick: ticks lived; places: [x, y] of each
// affordance, null where it is absent}.

import { makeParts } from "townlet/world/observation.js";
import { makeTerms } from "townlet/world/rewards.js";
import { canAct, isOpen, tick } from "townlet/world/rules.js";
import { UnknownError, makeTables } from "townlet/world/tables.js";

/** The world of a replay's header. */
export class World {
  #parts;
  #terms;

  constructor(header) {
    const { world } = header;
    this.terms = world.terms; // names of what `rewards` pays, in order
    /** Null; or why this page cannot play the world, a sentence. Then nothing of it may be asked for. */
    this.known = null;
    try {
      this.tables = makeTables(world);
      this.width = world.observation.reduce((sum, part) => sum + part.width, 0); // of what is observed
      this.#terms = makeTerms(world.terms, world.reward, this.tables);
      this.#parts = makeParts(this.tables);
    } catch (error) {
      const told = error instanceof UnknownError;
      this.known = told ? error.message : "This page cannot read the rules of this world: the header is damaged.";
    }
  }

  /** The first state of an episode on a map with the agent in a cell. */
  begin({ places, x, y }) {
    return { x, y, meters: this.tables.initial.slice(), progress: 0, tick: 0, places };
  }

  /**
   * What follows a state by the action of index `action`; a forbidden one does nothing, as waiting does.
   *
   * Returns {state, rewards: what each of `terms` pays, completed: the affordance whose interaction ended, their number
   * for none, died, truncated: whether it ended at the step limit, cause: the meter of which it died, null for none}.
   */
  step(state, action) {
    if (!(action in this.tables.actions)) {
      throw new RangeError(`action: expected an index below ${this.tables.actions.length}, got ${action}`);
    }
    const done = tick(this.tables, state, action);
    const { completed, died, truncated, cause } = done;
    return { state: done.state, rewards: this.#terms.map((pays) => pays(done)), completed, died, truncated, cause };
  }

  /** What may be done: bit i is set where action i is allowed. */
  mask(state) {
    return this.tables.actions.reduce((bits, action, index) => bits | (canAct(this.tables, state, action) << index), 0);
  }

  /** What the agent sees, a Float32Array whose parts lie as the header's `world.observation` says. */
  observe(state) {
    const seen = new Float32Array(this.width);
    this.tables.observation.forEach(({ start, width }, part) =>
      this.#parts[part](state, seen.subarray(start, start + width)));
    return seen;
  }

  /** Whether an affordance is open at a tick. */
  isOpen(affordance, tick) {
    return isOpen(this.tables, affordance, tick);
  }
}
