// Whether the page's network is the one that was recorded: it lives a recorded life in the page's world, and must say
// of every step what the file says. Where the world is not the recorded one, see `checkWorld`, it sees something else.

import { relive, startOf } from "townlet/world/parity.js";

const CLOSE = 1e-4; // of 1, or of a larger number: what rounding in another order may change over a life

/**
 * Whether all that a recorded life says of its network is what the network says here: the value of each action, with
 * memory and without, and the memory itself, each as near as the file tells them.
 *
 * Returns {equal, largest: the largest difference of an action's value, steps: how many are equal, firstDifference:
 * null or {frame, column, component, recorded, here}}.
 */
export function checkNetwork(track, world, network) {
  const steps = checking(track, world, network);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** The same, a step at a time: yields after each, and returns what `checkNetwork` does. */
export function* checking(track, world, network) {
  const blank = network.initialMemory(), found = { equal: false, largest: 0, steps: 0, firstDifference: null };
  let memory = network.initialMemory(), state = startOf(track, world), previous = null;
  for (const done of relive(track, world)) {
    const seen = world.observe(state), now = network.q(seen, previous, memory);
    const here = { memory: network.flatten(memory), q: now.q, q_blank: network.q(seen, previous, blank).q };
    for (const column of ["q", "q_blank"]) {
      found.largest = Math.max(found.largest, farthest(track, column, found.steps, here[column]));
    }
    found.firstDifference = differs(track, found.steps, here);
    if (found.firstDifference !== null) return found;
    [memory, state, previous] = [now.memory, done.state, track.value("action", found.steps)];
    found.steps += 1;
    yield;
  }
  found.firstDifference = differs(track, found.steps, { memory: network.flatten(memory) });
  found.equal = found.firstDifference === null;
  return found;
}

function farthest(track, column, time, numbers) {
  const recorded = track.at(column, time);
  return recorded === null ? 0 : Math.max(...recorded.map((value, index) => Math.abs(value - numbers[index])));
}

/** The first number, by column, that the track has otherwise at a time; null for none. */
function differs(track, time, columns) {
  for (const [column, numbers] of Object.entries(columns)) {
    const recorded = track.at(column, time); // null where it is not recorded: memory every so many frames
    const component = recorded?.findIndex((value, index) => !meets(track, column, index, value, numbers[index])) ?? -1;
    if (component >= 0) {
      return { frame: time, column, component, recorded: recorded[component], here: numbers[component] };
    }
  }
  return null;
}

/** Whether a number is within half a step of its scale, and what rounding may change. */
function meets(track, column, component, recorded, here) {
  const scale = track.replay.columns.get(column).scale[component];
  const half = scale === 1 ? 0 : 0.5 * scale; // a component that is always the same has a scale of 1
  return Math.abs(recorded - here) <= half + CLOSE * Math.max(1, Math.abs(recorded));
}
