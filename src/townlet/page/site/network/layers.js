// Layers of a network, each over one row of numbers: `run(from, at, into, to)` reads from index `at`, writes from `to`.

const EPSILON = 1e-5; // that PyTorch's LayerNorm adds to a variance

/** The logistic function. */
export function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

/** y = W x + b, with W [after, before] row by row, and b [after] or null. */
export class Linear {
  constructor(weight, bias, before, after) {
    this.before = before;
    this.after = after;
    this.weight = weight;
    this.bias = bias ?? new Float32Array(after);
  }

  /** The one of a name in PyTorch. */
  static of(weights, name, before, after) {
    const weight = weights.take(`${name}.weight`, after, before);
    return new Linear(weight, weights.take(`${name}.bias`, after), before, after);
  }

  run(from, at, into, to) {
    const { weight, bias, before, after } = this;
    for (let row = 0, index = 0; row < after; row++) {
      let sum = 0;
      for (let column = 0; column < before; column++) sum += weight[index++] * from[at + column];
      into[to + row] = sum + bias[row];
    }
  }
}

/** A linear layer, a norm over its units where there is a `gain` and a `shift` of each, and what is below 0 cut off. */
export class Layer {
  constructor(linear, gain = null, shift = null) {
    this.linear = linear;
    this.after = linear.after;
    this.gain = gain;
    this.shift = shift;
  }

  /** The one of a name in PyTorch, with a norm where the level asks for it. */
  static of(weights, name, before, after, layerNorm) {
    const linear = Linear.of(weights, `${name}.0`, before, after);
    if (!layerNorm) return new Layer(linear);
    return new Layer(linear, weights.take(`${name}.1.weight`, after), weights.take(`${name}.1.bias`, after));
  }

  run(from, at, into, to) {
    this.linear.run(from, at, into, to);
    if (this.gain !== null) this.#normalise(into, to);
    for (let unit = to; unit < to + this.after; unit++) if (into[unit] < 0) into[unit] = 0;
  }

  #normalise(into, to) {
    const { after, gain, shift } = this;
    let mean = 0, variance = 0;
    for (let unit = 0; unit < after; unit++) mean += into[to + unit] / after;
    for (let unit = 0; unit < after; unit++) variance += (into[to + unit] - mean) ** 2 / after;
    const scale = 1 / Math.sqrt(variance + EPSILON);
    for (let unit = 0; unit < after; unit++) {
      into[to + unit] = (into[to + unit] - mean) * scale * gain[unit] + shift[unit];
    }
  }
}

/** A convolution of 3 x 3 over a square of `side`, zeros around it, and what is below 0 cut off; channel by channel. */
export class Convolution {
  constructor(weights, name, before, after, side) {
    this.weight = weights.take(`${name}.weight`, after, before, 3, 3);
    this.bias = weights.take(`${name}.bias`, after);
    this.before = before;
    this.after = after;
    this.side = side;
  }

  run(from, at, into, to) {
    const { after, bias, side } = this;
    for (let channel = 0; channel < after; channel++) {
      for (let cell = 0; cell < side * side; cell++) {
        const sum = bias[channel] + this.#around(from, at, channel, Math.floor(cell / side), cell % side);
        into[to + channel * side * side + cell] = sum > 0 ? sum : 0;
      }
    }
  }

  #around(from, at, channel, y, x) {
    const { weight, before, side } = this;
    const top = Math.max(y - 1, 0), bottom = Math.min(y + 1, side - 1);
    const left = Math.max(x - 1, 0), right = Math.min(x + 1, side - 1);
    let sum = 0;
    for (let source = 0; source < before; source++) {
      const kernel = (channel * before + source) * 9 + 4 - y * 3 - x; // of the cell itself, less where that lies
      const plane = at + source * side * side;
      for (let row = top; row <= bottom; row++) {
        for (let column = left; column <= right; column++) {
          sum += weight[kernel + row * 3 + column] * from[plane + row * side + column];
        }
      }
    }
    return sum;
  }
}

/** Q-values; dueling: value plus advantage less its mean (Wang et al., 2016). */
export class Head {
  constructor(weights, before, actions, dueling) {
    this.actions = actions;
    this.dueling = dueling;
    this.output = Linear.of(weights, "value.output", before, actions + (dueling ? 1 : 0)); // advantages, then the value
    this.row = new Float32Array(this.output.after);
  }

  /** Q of a row that lies in `from` from its start on, Float32Array [actions]. */
  run(from) {
    const { row, actions } = this;
    this.output.run(from, 0, row, 0);
    let shift = 0;
    if (this.dueling) {
      shift = row[actions];
      for (let action = 0; action < actions; action++) shift -= row[action] / actions;
    }
    const q = new Float32Array(actions);
    for (let action = 0; action < actions; action++) q[action] = row[action] + shift;
    return q;
  }
}
