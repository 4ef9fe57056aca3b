// What is chosen without exploring.

/** The allowed action of the greatest Q, of several the first; bit i of `allowed` says whether action i is allowed. */
export function greedy(q, allowed) {
  let best = -1;
  for (let action = 0; action < q.length; action++) {
    if ((allowed >>> action) & 1 && (best < 0 || q[action] > q[best])) best = action;
  }
  return Math.max(best, 0); // as in Python, the first where none is allowed
}
