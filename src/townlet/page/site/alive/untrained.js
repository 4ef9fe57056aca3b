// A network of the same form that has learned nothing: fresh weights, drawn in the page as PyTorch draws them.

import { generator } from "townlet/world/starts.js";

const FINE = 2 ** 24; // steps between -1 and 1 that are drawn

/**
 * Weights by name as a replay has them, Map name -> {shape, numbers}: of each layer uniform within 1 / sqrt(inputs). A
 * norm begins as none; what has another kind of name stays as it was recorded, for it begins where its rule says.
 */
export function freshWeights(weights, seed) {
  const draw = generator(seed), within = (reach) => (2 * draw(FINE) / FINE - 1) * reach;
  return new Map([...weights].map(([name, { shape, numbers }]) => {
    const reach = reachOf(weights, name, shape);
    const fresh = () => (reach === 0 ? start(name) : within(reach));
    return [name, { shape, numbers: reach === null ? numbers : numbers.map(fresh) }];
  }));
}

/** How far the weights of a layer lie from 0; 0 for those of a norm, null for what is no layer's. */
function reachOf(weights, name, shape) {
  const recurrent = /\.(weight|bias)_[ih]h_l\d+$/.test(name); // of a cell, by its units
  if (recurrent) return 1 / Math.sqrt(weights.get(name.replace(/(weight|bias)_[ih]h/, "weight_hh")).shape[1]);
  if (!/\.(weight|bias)$/.test(name)) return null;
  const weight = weights.get(name.replace(/bias$/, "weight"))?.shape ?? shape;
  if (weight.length < 2) return 0;
  return 1 / Math.sqrt(weight.slice(1).reduce((a, b) => a * b, 1));
}

function start(name) {
  return name.endsWith("weight") ? 1 : 0;
}
