// The planner's life: what a script that knows the whole map did from the start of a recorded life. The file holds its
// actions alone, and the page's own world makes the rest of them.

import { valueOf } from "townlet/format/replay.js";
import { fork } from "townlet/track/lived.js";

/** Whether a replay has lives of a planner. */
export function hasPlanner({ header }) {
  return (header.planner ?? null) !== null;
}

/**
 * The planner's life beside a recorded one, a track; null where it does not end here as it did when it was recorded.
 * The world must be known to the page.
 */
export function plannedBeside(track, world) {
  const { length, ended, cause } = track.header.planner[track.index];
  const actions = track.replay.columns.get("planned"), life = fork({ world, network: null }, track, 0, [], "planner");
  for (let step = 0; step < length; step++) life.live(valueOf(actions, track.index, 0, step));
  const came = life.life;
  return came.length === length && came.ended === ended && came.cause === cause ? life : null;
}
