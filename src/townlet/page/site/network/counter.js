// Memories of how often everything was seen: sums that nothing fades, read so that each count is told apart.

import { wholeOf } from "townlet/network/weights.js";

const MOST = 1024;

/** Sums over the life of each number of the observation, each read as if one-hot, from 1 to `most`. */
export class Counter {
  learned = false;

  constructor(layout, config) {
    this.most = wholeOf(config, "most", 1, MOST);
    this.observed = layout.width;
    this.sizes = [layout.width];
    this.width = layout.width * this.most;
  }

  step(row, [before], [held], into, to) {
    for (let number = 0; number < held.length; number++) {
      held[number] = before[number] + row[number];
      spread(held[number], this.most, into, to + number * this.most);
    }
  }
}

/** Sums of the observation for each action by itself, of what was observed right after it. */
export class OutcomeCounter {
  learned = false;

  constructor(layout, inputs, config) {
    this.most = wholeOf(config, "most", 1, MOST);
    this.reach = wholeOf(config, "reach", 0, 8);
    this.observed = layout.width;
    this.sizes = [inputs.actions * layout.width];
    this.ofAction = layout.width * this.most; // numbers read of each action, one action after the other
    this.width = inputs.actions * this.ofAction;
  }

  step(row, [before], [held], into, to) {
    const { observed, most } = this;
    for (let number = 0; number < held.length; number++) {
      const came = row[observed + Math.floor(number / observed)]; // 1 for the previous action
      held[number] = before[number] + came * row[number % observed];
      spread(held[number], most, into, to + number * most);
    }
  }
}

/** Sums of an observation that has an equal part for each action: of an action are the counts of its part. */
export class PartCounter {
  learned = false;

  constructor(layout, inputs, config) {
    this.most = wholeOf(config, "most", 1, MOST);
    this.reach = wholeOf(config, "reach", 0, 8);
    this.actions = inputs.actions;
    this.part = layout.width / inputs.actions;
    this.sizes = [layout.width];
    this.ofAction = this.part * (this.most + 1); // counts, then what the part shows now
    this.width = inputs.actions * this.ofAction + this.part; // behind them, what that of the previous action shows
  }

  step(row, [before], [held], into, to) {
    const { actions, part, most } = this, last = to + actions * this.ofAction;
    for (let number = 0; number < part; number++) into[last + number] = 0;
    for (let action = 0; action < actions; action++) {
      const begin = to + action * this.ofAction;
      for (let number = 0; number < part; number++) {
        const index = action * part + number;
        held[index] = before[index] + row[index];
        spread(held[index], most, into, begin + number * most);
        into[begin + part * most + number] = row[index];
        into[last + number] += row[held.length + action] * row[index];
      }
    }
  }
}

/** Write a count as `most` numbers: of a whole one that of its own is 1, and the last for all above. */
function spread(sum, most, into, to) {
  const count = Math.min(sum, most);
  for (let level = 1; level <= most; level++) into[to + level - 1] = Math.max(1 - Math.abs(count - level), 0);
}
