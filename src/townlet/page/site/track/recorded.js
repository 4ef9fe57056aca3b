// A track is one life as views see it, recorded or lived in the page: they ask it alone, and never a file.

import { COLUMNS } from "townlet/format/checks.js";
import { valueOf } from "townlet/format/replay.js";

/** The recorded life of index `index`. Frame t is the world before step t; the last frame is as the end left it. */
export class RecordedTrack {
  kind = "recorded";
  changes = []; // {frame, what}: what a person changed under the agent; nothing in a recording

  constructor(replay, index) {
    this.replay = replay;
    this.index = index;
    this.header = replay.header;
    this.life = replay.header.lives[index]; // {agent, map, places, length, ended, cause, total_reward}
    this.label = `agent ${this.life.agent}`;
  }

  /** The number of frames; steps are one fewer. */
  get frames() {
    return this.life.length + 1;
  }

  has(name) {
    return this.replay.columns.has(name);
  }

  /** A number of a column at a frame or step; null where it is not recorded. */
  value(name, time, component = 0) {
    const column = this.replay.columns.get(name);
    if (column === undefined || time < 0 || time >= this.#timesOf(name) || time % column.every !== 0) return null;
    return valueOf(column, this.index, component, time / column.every);
  }

  /** All components of a column at a frame or step, in order; null where they are not recorded. */
  at(name, time) {
    const column = this.replay.columns.get(name);
    if (column === undefined || time < 0 || time >= this.#timesOf(name) || time % column.every !== 0) return null;
    return Array.from({ length: column.components }, (_, component) =>
      valueOf(column, this.index, component, time / column.every));
  }

  #timesOf(name) {
    return OF_FRAMES.has(name) ? this.frames : this.life.length;
  }
}

/** Columns that have a time for each frame; all others have one for each step. */
export const OF_FRAMES = new Set(Object.keys(COLUMNS).filter((name) => COLUMNS[name].per === "frame"));
