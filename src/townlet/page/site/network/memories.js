// The memories that a network keeps beside its cell, as a level names them.
//
// Each has `sizes`, the numbers of each tensor that it keeps, `width`, what it reads, `learned`, and
// `step(row, before, after, into, to)`: write what comes in over what was kept before, and read it.

import { Counter, OutcomeCounter, PartCounter } from "townlet/network/counter.js";
import { Delta, DeltaPhases } from "townlet/network/delta.js";
import { Frontier } from "townlet/network/frontier.js";
import { Ground } from "townlet/network/ground.js";
import { LinearRecurrentUnits } from "townlet/network/lru.js";
import { makeSightings } from "townlet/network/sightings.js";
import { Spectral, SteeredSpectral } from "townlet/network/spectral.js";
import { NetworkError, nothingBeside } from "townlet/network/weights.js";

const KEYS = { // of each kind of memory in a level
  spectral: ["kind", "lags", "keep", "turn", "banks", "squash", "widest"],
  delta: ["kind", "keys", "values", "keep", "phases", "at", "whole"],
  ground: ["kind", "values", "whole"],
  counter: ["kind", "most", "of", "reach"],
  lru: ["kind", "units", "span", "traces"],
};

/** All of a level's memories: first those that nothing is learned in, then the others. Throws NetworkError. */
export function makeMemories(weights, config, layout, inputs) {
  const ruled = [], learned = [];
  if (config.sightings) ruled.push(makeSightings(layout));
  if (config.frontier) ruled.push(new Frontier(layout));
  for (const one of config.memory ?? []) {
    const among = isLearned(one) ? learned : ruled;
    const name = `${among === learned ? "learned" : "ruled"}.${among.length}`;
    among.push(makeMemory(weights, name, one, layout, inputs));
  }
  return [...ruled, ...learned];
}

function isLearned(config) {
  const { kind } = config;
  return ["delta", "ground", "lru"].includes(kind) || (kind === "spectral" && config.turn === "learned");
}

function makeMemory(weights, name, config, layout, inputs) {
  if (!Object.hasOwn(KEYS, config.kind)) throw new NetworkError(`a memory of the kind ${config.kind}`);
  nothingBeside(config, KEYS[config.kind]);
  if (config.kind === "delta") return new (config.phases ? DeltaPhases : Delta)(weights, name, layout, inputs, config);
  if (config.kind === "ground") return new Ground(weights, name, layout, inputs, config);
  if (config.kind === "lru") return new LinearRecurrentUnits(weights, name, inputs, config);
  if (config.kind === "counter") return makeCounter(config, layout, inputs);
  if (config.turn === "learned") return new SteeredSpectral(weights, name, layout, inputs, config);
  if ((config.turn ?? "fixed") === "fixed") return new Spectral(weights, name, layout, config);
  throw new NetworkError(`a spectral memory that turns ${config.turn}`);
}

function makeCounter(config, layout, inputs) {
  const of = config.of ?? "all", { actions } = inputs;
  if (of === "all") return new Counter(layout, config);
  if (["outcomes", "actions"].includes(of) && actions > 0) return new OutcomeCounter(layout, inputs, config);
  if (of === "parts" && actions > 0 && layout.width % actions === 0) return new PartCounter(layout, inputs, config);
  throw new NetworkError(`a counter of ${of} over ${layout.width} numbers and ${actions} actions`);
}
