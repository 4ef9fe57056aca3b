// Encoders: what a recurrent network makes of one step's inputs, before its cell.

import { Convolution, Layer, Linear } from "townlet/network/layers.js";
import { NetworkError } from "townlet/network/weights.js";

/** The encoder that a level names, over `inputs`. Throws NetworkError. */
export function makeEncoder(weights, config, layout, inputs) {
  const { kind } = config.encoder;
  if (kind === "joint") {
    return new WholeEncoder(weights, inputs.width, config.encoder.width, Boolean(config.layer_norm));
  }
  if (kind === "spatial") return new PartwiseEncoder(weights, config.encoder, layout, inputs);
  throw new NetworkError(`an encoder of the kind ${kind}`);
}

/** One layer over all that comes in. */
class WholeEncoder {
  constructor(weights, before, width, layerNorm) {
    this.width = width;
    this.layer = Layer.of(weights, "encoder.layer", before, width, layerNorm);
  }

  run(row, into, to) {
    this.layer.run(row, 0, into, to);
  }
}

/** Two convolutions over the window; a layer for each other part of the observation, one for what is added to it. */
class PartwiseEncoder {
  constructor(weights, config, layout, inputs) {
    const side = layout.window, cells = side * side;
    this.window = layout.part("window", cells);
    this.first = new Convolution(weights, "encoder.spatial.0", 1, 16, side);
    this.second = new Convolution(weights, "encoder.spatial.2", 16, 32, side);
    this.joined = new Layer(Linear.of(weights, "encoder.spatial.5", 32 * cells, config.window));
    this.planes = [new Float32Array(16 * cells), new Float32Array(32 * cells)];
    const parts = [...layout.parts].filter(([name]) => name !== "window").map(([, part]) => part);
    if (inputs.width > layout.width) parts.push({ start: layout.width, width: inputs.width - layout.width });
    this.layers = parts.map(({ start, width }, index) => (
      { start, layer: Layer.of(weights, `encoder.parts.${index}`, width, config.part, false) }));
    this.part = config.part;
    this.width = config.window + config.part * parts.length;
  }

  run(row, into, to) {
    this.first.run(row, this.window.start, this.planes[0], 0);
    this.second.run(this.planes[0], 0, this.planes[1], 0);
    this.joined.run(this.planes[1], 0, into, to);
    let at = to + this.joined.after;
    for (const { start, layer } of this.layers) {
      layer.run(row, start, into, at);
      at += this.part;
    }
  }
}
