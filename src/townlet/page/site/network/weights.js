// What a network is made from, taken piece by piece: whatever does not fit is told in a sentence, nothing is assumed.

/** A network that this page does not know; its message is one sentence for a person, which ends in `what`. */
export class NetworkError extends Error {
  constructor(what) {
    super(`This page cannot compute the network's values: it does not know ${what}.`);
  }
}

/** Weights by PyTorch's names, Map name -> {shape, numbers Float32Array}; each is taken once. */
export class Weights {
  #all;
  #left;

  constructor(weights) {
    this.#all = weights;
    this.#left = new Set(weights.keys());
  }

  /** The numbers of a weight, row by row. Throws NetworkError where there is none, or one of another shape. */
  take(name, ...shape) {
    const weight = this.#all.get(name);
    const got = weight === undefined ? "none" : weight.shape.join(" x ");
    const fits = weight?.shape.length === shape.length && shape.every((size, axis) => weight.shape[axis] === size);
    if (!fits) {
      throw new NetworkError(`a network whose weight ${name} is ${got} and not ${shape.join(" x ")}`);
    }
    this.#left.delete(name);
    return weight.numbers;
  }

  /** Throws NetworkError where a weight was never taken. */
  end() {
    for (const name of this.#left) throw new NetworkError(`the weight ${name}`);
  }
}

/** A key of the level that is a whole number from `least` to `most`. Throws NetworkError. */
export function wholeOf(config, key, least, most) {
  const got = config[key];
  if (Number.isInteger(got) && got >= least && got <= most) return got;
  throw new NetworkError(`a memory whose ${key} is ${got}`);
}

/** A key of the level that is above 0 and at most 1. Throws NetworkError. */
export function shareOf(config, key) {
  const got = config[key];
  if (typeof got === "number" && got > 0 && got <= 1) return got;
  throw new NetworkError(`a memory whose ${key} is ${got}`);
}

/** Throws NetworkError where a part of the level says more than `known`, a list of keys. */
export function nothingBeside(config, known) {
  for (const [key, value] of Object.entries(config)) {
    const off = value === null || value === false || (Array.isArray(value) && value.length === 0);
    if (!known.includes(key) && !off) throw new NetworkError(`the key ${key} of a network`);
  }
}
