// What a person may change in a life, as data: {frame, kind, numbers}. So a change can be made, told in words, and
// written into an address that makes it again.

import { clock, hourOf } from "townlet/explain/places.js";
import { meterName, percent, placeName } from "townlet/explain/words.js";
import { cellName, EditError, putAgent, putPlace, removePlace, setHour, setMeter } from "townlet/world/edits.js";

const MOST = 99; // changes that an address may name

// By kind: how many numbers it takes, what it makes of {state, memory}, and how it is told; `again` says by the numbers
// of two changes made one after the other whether the second leaves nothing of the first.
const KINDS = {
  live: { takes: 0, make: () => ({}), tell: () => "nothing changed" }, // where a life leaves another as it is
  forget: {
    takes: 0,
    make: ({ network }, { memory }) => ({ memory: forgotten(network, memory) }),
    tell: () => "memory forgotten",
  },
  part: {
    takes: 1,
    make: ({ network }, { memory }, part) => ({ memory: forgotten(network, memory, part) }),
    tell: ({ memory }, part) => `${memory[part]?.name ?? "a part"} of the memory forgotten`,
  },
  place: {
    takes: 3,
    make: ({ world }, { state }, affordance, x, y) => ({ state: putPlace(world, state, affordance, x, y) }),
    tell: ({ world }, affordance, x, y) => `${placeName(world, affordance)} moved to ${cellName(x, y)}`,
  },
  remove: {
    takes: 1,
    make: ({ world }, { state }, affordance) => {
      if (!(affordance in state.places)) throw new EditError(`There is no place of index ${affordance} in this world.`);
      return { state: removePlace(world, state, affordance) };
    },
    tell: ({ world }, affordance) => `${placeName(world, affordance)} removed`,
  },
  meter: {
    takes: 2,
    make: ({ world }, { state }, meter, share) => ({ state: setMeter(world, state, meter, share / 100) }),
    tell: ({ world }, meter, share) => `${meterName(world, meter)} set to ${percent(share / 100)}`,
    again: ([meter], [other]) => meter === other,
  },
  hour: {
    takes: 1,
    make: ({ world }, { state }, hour) => ({ state: setHour(world, state, hour) }),
    tell: (header, hour) => `clock set to ${clock(hourOf(header, hour))}`,
  },
  agent: {
    takes: 2,
    make: ({ world }, { state }, x, y) => ({ state: putAgent(world, state, x, y) }),
    tell: (_, x, y) => `agent put on ${cellName(x, y)}`,
  },
};

/** What a change makes of {state, memory}, by a mind {world, network}. Throws EditError, a sentence for a person. */
export function applied(mind, now, { kind, numbers }) {
  return { ...now, ...KINDS[kind].make(mind, now, ...numbers) };
}

/** A change in words, as a part of a sentence. */
export function inWords(header, { kind, numbers }) {
  return KINDS[kind].tell(header, ...numbers);
}

/** Changes with more after them; one that leaves nothing of the last, made at the same frame, takes its place. */
export function followed(changes, more) {
  return more.reduce((all, one) => {
    const last = all.at(-1), same = last?.frame === one.frame && last.kind === one.kind;
    return [...(same && KINDS[one.kind].again?.(last.numbers, one.numbers) ? all.slice(0, -1) : all), one];
  }, changes);
}

/** Changes as an address names them: "120-forget.150-place-2-4-5". */
export function written(changes) {
  return changes.map(({ frame, kind, numbers }) => [frame, kind, ...numbers].join("-")).join(".");
}

/** The changes that an address names, by frame; null where it names none that could be made anywhere. */
export function read(text) {
  const parts = text.split("."), changes = parts.slice(0, MOST).map((part) => {
    const [frame, kind, ...numbers] = part.split("-");
    const whole = [frame, ...numbers].every((number) => /^\d{1,6}$/.test(number));
    if (!whole || !Object.hasOwn(KINDS, kind) || KINDS[kind].takes !== numbers.length) return null;
    return { frame: Number(frame), kind, numbers: numbers.map(Number) };
  });
  const fit = changes.every((change, index) => change !== null && change.frame >= (changes[index - 1]?.frame ?? 0));
  return fit && parts.length <= MOST ? changes : null;
}

function forgotten(network, memory, part = null) {
  if (network === null || network.parts.length === 0) throw new EditError("This network has no memory to forget.");
  if (part !== null && !(part in network.parts)) throw new EditError(`Its memory has no part of number ${part}.`);
  return network.forget(memory, part);
}
