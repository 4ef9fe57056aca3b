// Memories of the last sights as a spectrum: accumulators that turn, at fixed speeds or as what comes in steers them.

import { Linear, sigmoid } from "townlet/network/layers.js";
import { shareOf, wholeOf } from "townlet/network/weights.js";

const MOST = 1024;

/** Accumulators that turn at fixed speeds: h_k <- keep * exp(2 pi i k / lags) * h_k + u, for each number u observed. */
export class Spectral {
  learned = false;

  constructor(weights, name, layout, config) {
    const lags = wholeOf(config, "lags", 2, MOST), keep = shareOf(config, "keep");
    this.sights = new Sights(weights, name, layout, config);
    this.squash = Boolean(config.squash);
    this.scale = 1 / Math.sqrt(lags);
    this.cosine = Float32Array.from({ length: lags / 2 + 1 }, (_, k) => keep * Math.cos((2 * Math.PI * k) / lags));
    this.sine = Float32Array.from({ length: lags / 2 + 1 }, (_, k) => keep * Math.sin((2 * Math.PI * k) / lags));
    this.width = 2 * this.sights.numbers * this.cosine.length;
    this.sizes = [this.width];
  }

  step(row, [before], [held], into, to) {
    const { cosine, sine } = this;
    const shown = this.sights.of(row);
    for (let number = 0, at = 0; number < shown.length; number++) {
      for (let k = 0; k < cosine.length; k++, at += 2) {
        held[at] = before[at] * cosine[k] - before[at + 1] * sine[k] + shown[number];
        held[at + 1] = before[at] * sine[k] + before[at + 1] * cosine[k];
      }
    }
    readAll(held, this.squash, this.scale, into, to);
  }
}

/** Banks of such accumulators, whose speed and write gate are learned functions of what comes in. */
export class SteeredSpectral {
  learned = true;

  constructor(weights, name, layout, inputs, config) {
    const lags = wholeOf(config, "lags", 2, MOST);
    this.banks = wholeOf(config, "banks", 1, MOST);
    this.keep = shareOf(config, "keep");
    this.steer = Linear.of(weights, `${name}.steer`, inputs.width, 2 * this.banks); // speeds, then gates
    this.steered = new Float32Array(2 * this.banks);
    this.sights = new Sights(weights, name, layout, config);
    this.squash = Boolean(config.squash);
    this.scale = 1 / Math.sqrt(lags);
    this.speeds = Float32Array.from({ length: lags / 2 + 1 }, (_, k) => (2 * Math.PI * k) / lags); // radians
    this.cosine = new Float32Array(this.speeds.length);
    this.sine = new Float32Array(this.speeds.length);
    this.width = 2 * this.banks * this.sights.numbers * this.speeds.length;
    this.sizes = [this.width];
  }

  step(row, [before], [held], into, to) {
    this.steer.run(row, 0, this.steered, 0);
    const size = this.width / this.banks, shown = this.sights.of(row);
    for (let bank = 0; bank < this.banks; bank++) {
      this.#turn(Math.tanh(this.steered[bank]));
      this.#write(shown, sigmoid(this.steered[this.banks + bank]), before, held, bank * size);
    }
    readAll(held, this.squash, this.scale, into, to);
  }

  #turn(speed) {
    const { keep, speeds, cosine, sine } = this;
    for (let k = 0; k < speeds.length; k++) {
      cosine[k] = keep * Math.cos(speed * speeds[k]);
      sine[k] = keep * Math.sin(speed * speeds[k]);
    }
  }

  #write(shown, gate, before, held, at) {
    const { cosine, sine } = this;
    for (let number = 0; number < shown.length; number++) {
      for (let k = 0; k < cosine.length; k++, at += 2) {
        held[at] = before[at] * cosine[k] - before[at + 1] * sine[k] + gate * shown[number];
        held[at + 1] = before[at] * sine[k] + before[at + 1] * cosine[k];
      }
    }
  }
}

/** What is observed, or, where that is wider than `widest`, so many sums of it. */
class Sights {
  constructor(weights, name, layout, config) {
    this.observed = layout.width;
    this.numbers = Math.min(layout.width, config.widest ?? Infinity);
    this.mix = this.numbers < layout.width ? weights.take(`${name}.mix`, layout.width, this.numbers) : null;
    this.shown = new Float32Array(this.numbers);
  }

  of(row) {
    const { shown, mix, numbers, observed } = this;
    for (let number = 0; number < numbers; number++) {
      if (mix === null) shown[number] = row[number];
      else {
        shown[number] = 0;
        for (let seen = 0; seen < observed; seen++) shown[number] += row[seen] * mix[seen * numbers + number];
      }
    }
    return shown;
  }
}

/** All of it, or sign(x) log(1 + |x|) of each number: as x near zero, and close together far from it. */
function readAll(held, squash, scale, into, to) {
  for (let at = 0; at < held.length; at++) {
    into[to + at] = (squash ? Math.sign(held[at]) * Math.log1p(Math.abs(held[at])) : held[at]) * scale;
  }
}
