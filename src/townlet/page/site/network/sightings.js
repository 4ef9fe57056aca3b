// What an agent knows of where each kind of place is: from a memory of sights, or from what it observes.

import { DIRECTIONS, pointTo } from "townlet/network/inputs.js";

const KIND = "underfoot", PLACE = "position", OFFSETS = "offsets"; // parts of an observation

/** What reads the places of a level: all where they are observed, else those that were underfoot. */
export function makeSightings(layout) {
  return layout.parts.has(OFFSETS) ? new PlacesInView(layout) : new LastSightings(layout);
}

/** Where each kind of place was last underfoot: ones for those that were seen, then all x, then all y. */
export class LastSightings {
  learned = false;

  constructor(layout) {
    this.kind = layout.part(KIND);
    this.place = layout.part(PLACE, 2);
    this.kinds = this.kind.width - 1; // the last says that there is none
    this.sizes = [3 * this.kinds];
    this.width = (1 + DIRECTIONS) * this.kinds;
  }

  step(row, [before], [held], into, to) {
    const { kinds } = this;
    const x = row[this.place.start], y = row[this.place.start + 1];
    held.set(before);
    for (let kind = 0; kind < kinds; kind++) {
      if (row[this.kind.start + kind] > 0.5) {
        held[kind] = 1;
        held[kinds + kind] = x;
        held[2 * kinds + kind] = y;
      }
      const known = held[kind];
      into[to + kind] = known;
      pointTo((held[kinds + kind] - x) * known, (held[2 * kinds + kind] - y) * known, into, to + kinds + kind, kinds);
    }
  }
}

/** The same reading where a level shows how far each place is: what stands on the map is known, and nothing kept. */
export class PlacesInView {
  learned = false;
  sizes = [];

  constructor(layout) {
    this.kind = layout.part(KIND);
    this.kinds = this.kind.width - 1;
    this.offsets = layout.part(OFFSETS, 2 * this.kinds);
    this.width = (1 + DIRECTIONS) * this.kinds;
  }

  step(row, before, after, into, to) {
    const { kinds } = this;
    for (let kind = 0; kind < kinds; kind++) {
      const right = row[this.offsets.start + kind], below = row[this.offsets.start + kinds + kind];
      const here = row[this.kind.start + kind] > 0.5; // the offsets of what does not stand on the map are zero
      into[to + kind] = here || right !== 0 || below !== 0 ? 1 : 0;
      pointTo(right, below, into, to + kinds + kind, kinds);
    }
  }
}
