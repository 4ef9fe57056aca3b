// The reward by term: what a step paid, and what all steps up to it did.

/** What each term paid in a step and up to it, with that: {now, sum} arrays by term; null at a frame with no step. */
export function paidAt(track, step) {
  const terms = track.header.world.terms.length, last = Math.min(step, track.life.length - 1);
  const sum = Array(terms).fill(0);
  for (let before = 0; before <= last; before++) {
    for (let term = 0; term < terms; term++) sum[term] += track.value("reward", before, term);
  }
  return { now: track.at("reward", step), sum };
}
