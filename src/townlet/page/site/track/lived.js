// A life that the page lives itself: one that leaves another at a step, and goes on by the policy or by a person.
//
// A life is a list of frames: {state, memory, previous, allowed}, and where a step was taken from it also {q, blank,
// action, completed, rewards}. Frames are shared by lives that have them in common, and change no more once they are left.
// `mind` is what lives: {world, network}, the network null where the page does not know it.

import { greedy } from "townlet/network/greedy.js";
import { applied, followed, inWords } from "townlet/track/changes.js";
import { OF_FRAMES } from "townlet/track/recorded.js";
import { EditError } from "townlet/world/edits.js";
import { startOf } from "townlet/world/parity.js";

const relived = new WeakMap(); // by mind, then by recorded track: its frames, as far as one was asked for

// What a frame says of each column, as an array.
const COLUMNS = {
  tick: ({ state }) => [state.tick],
  position: ({ state }) => [state.x, state.y],
  progress: ({ state }) => [state.progress],
  meters: ({ state }) => [...state.meters],
  allowed: ({ allowed }) => [allowed],
  memory: (frame, network) => Array.from((frame.flat ??= network.flatten(frame.memory))),
  action: ({ action }) => [action],
  completed: ({ completed }) => [completed],
  reward: ({ rewards }) => rewards,
  q: ({ q }) => Array.from(q),
  q_blank: ({ blank }) => Array.from(blank),
};

/** A life of the page's own, as views see it: a track that grows by `live` until it ends. */
export class LivedTrack {
  kind = "lived";
  #lived;
  #end = null; // {ended, cause}
  #paid; // sum of all rewards

  /** It leaves `parent` at frame `from`; `lived` are its frames up to that one, `by` who acts: "policy", "person" or "planner". */
  constructor(mind, lived, { parent, from, changes, by, label }) {
    Object.assign(this, { mind, parent, from, by, label });
    this.made = changes; // as data, by frame
    this.changes = changes.map((change) => ({ frame: change.frame, what: inWords(parent.header, change) }));
    this.short = by === "person" ? "you" : `fork at ${from}`;
    this.header = parent.header;
    this.#lived = lived;
    this.#paid = lived.reduce((sum, { rewards }) => sum + total(rewards ?? []), 0);
  }

  /** The number of frames so far. */
  get frames() {
    return this.#lived.length;
  }

  /** Whether it goes on by itself. */
  get growing() {
    return this.by === "policy" && this.#end === null;
  }

  /** Whether it came to its end. */
  get over() {
    return this.#end !== null;
  }

  /** What a header says of a life, so far. */
  get life() {
    const { agent, map } = this.parent.life, { ended, cause } = this.#end ?? { ended: "cut", cause: null };
    const places = this.#lived[0].state.places;
    return { agent, map, places, length: this.frames - 1, ended, cause, total_reward: this.#paid };
  }

  has(name) {
    const { network } = this.mind;
    if (!Object.hasOwn(COLUMNS, name)) return false;
    if (name === "q") return network !== null;
    return (name !== "memory" && name !== "q_blank") || remembers(network);
  }

  /** A number of a column at a frame or step; null where there is none. */
  value(name, time, component = 0) {
    return this.at(name, time)?.[component] ?? null;
  }

  /** All components of a column at a frame or step, in order; null where there are none. */
  at(name, time) {
    const last = OF_FRAMES.has(name) ? this.frames - 1 : this.frames - 2;
    if (!(time >= 0 && time <= last) || !this.has(name)) return null;
    return COLUMNS[name](this.#lived[time], this.mind.network);
  }

  /** Where each affordance stands at a frame, [x, y] or null each. */
  places(frame) {
    return this.#lived[frame].state.places;
  }

  /** Live one step more, by the policy or by an action of another's. */
  live(action = null) {
    if (this.#end !== null) return;
    const { next, end } = takeStep(this.mind, this.#lived.at(-1), action);
    this.#paid += total(this.#lived.at(-1).rewards);
    this.#lived.push(next);
    this.#end = end;
  }

  /** Live on until a frame is there, or the end. */
  liveUntil(frame) {
    while (this.growing && this.frames <= frame) this.live();
  }

  /** Its frames up to one that others go on from. */
  framesUntil(frame) {
    return this.#lived.slice(0, frame + 1);
  }
}

/**
 * A life that leaves `track` at a frame, with changes [{frame, kind, ...}] made there, all at that frame; see
 * `changes.js`. Throws EditError for a change that cannot be made, and where the life has ended.
 */
export function fork(mind, track, frame, changes = [], by = "policy") {
  const last = track.frames - 1;
  if (!(frame <= last)) throw new EditError(`This life has no step ${frame}: its last is ${last}.`);
  if (frame === last && track.life.ended !== "cut") {
    throw new EditError("Its life ends at this step: go back to one before, and change it there.");
  }
  const lived = track.kind === "lived" ? track.framesUntil(frame) : framesOf(mind, track, frame);
  const { state, memory, previous } = lived[frame];
  const now = changes.reduce((at, change) => applied(mind, at, change), { state, memory });
  lived[frame] = frameOf(mind.world, now.state, now.memory, previous);
  const before = track.kind === "lived" ? track.made.filter((change) => change.frame <= frame) : [];
  const all = followed(before, changes), label = named(track, frame, all, by);
  return new LivedTrack(mind, lived, { parent: track, from: frame, changes: all, by, label });
}

/** The same life changed further on: it takes the place of a fork, whose parent stays its own. */
export function changed(mind, track, frame, changes) {
  const next = fork(mind, track, frame, changes);
  const { parent, from } = track;
  return new LivedTrack(mind, next.framesUntil(frame), {
    parent, from, changes: next.made, by: next.by, label: named(parent, from, next.made, next.by),
  });
}

function named(parent, frame, changes, by) {
  if (by === "planner") return "a script that knows the whole map";
  const of = parent.kind === "lived" ? `agent ${parent.life.agent}'s fork` : parent.label;
  if (by === "person") return `you, ${frame === 0 ? "from the start" : `from step ${frame}`} of ${of}`;
  if (changes.length === 0) return `fork of ${of} at step ${frame}`;
  const more = changes.length > 1 ? `, and ${changes.length - 1} more` : "";
  return `fork of ${of} at step ${frame} (${inWords(parent.header, changes[0])}${more})`;
}

/** Live one step more of a recorded life, so that it can be left at a frame; returns whether one was left to live. */
export function prepare(mind, track, frame) {
  const count = relived.get(mind)?.get(track)?.length ?? 0;
  if (count > frame) return false;
  framesOf(mind, track, count);
  return true;
}

/** Frames 0 to `frame` of a recorded life, lived once more with its actions and the memory that it had. */
function framesOf(mind, track, frame) {
  if (!relived.has(mind)) relived.set(mind, new WeakMap());
  const known = relived.get(mind), memory = mind.network?.initialMemory() ?? null;
  if (!known.has(track)) known.set(track, [frameOf(mind.world, startOf(track, mind.world), memory, null)]);
  const frames = known.get(track);
  while (frames.length <= frame) {
    const step = frames.length - 1, blank = track.at("q_blank", step);
    frames.push(takeStep(mind, frames.at(-1), track.value("action", step), blank).next);
  }
  return frames.slice(0, frame + 1);
}

function frameOf(world, state, memory, previous) {
  return { state, memory, previous, allowed: world.mask(state) };
}

/** Take a step from a frame, and write down in it what was done; `blank` is asked for where it is not known already. */
function takeStep({ world, network }, now, action = null, blank = null) {
  const seen = network === null ? null : world.observe(now.state);
  const asked = network?.q(seen, now.previous, now.memory) ?? null;
  const without = remembers(network) ? blank ?? network.q(seen, now.previous, network.initialMemory()).q : null;
  const chosen = action ?? greedy(asked.q, now.allowed), done = world.step(now.state, chosen);
  const { completed, rewards, died, truncated, cause } = done;
  Object.assign(now, { q: asked?.q ?? null, blank: without, action: chosen, completed, rewards });
  const next = frameOf(world, done.state, asked?.memory ?? null, chosen);
  return { next, end: died ? { ended: "death", cause } : truncated ? { ended: "limit", cause: null } : null };
}

function remembers(network) {
  return network !== null && network.parts.length > 0;
}

function total(rewards) {
  return rewards.reduce((sum, one) => sum + one, 0);
}
