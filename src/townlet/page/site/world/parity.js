// Whether the page's world is the one that was recorded: it lives a recorded life once more by its actions, and must
// meet every number that is in the file.

/** What `World.step` returns of each step of a track, in order, from where the life began. */
export function* relive(track, world) {
  let state = startOf(track, world);
  for (let step = 0; step + 1 < track.frames; step++) {
    const done = world.step(state, track.value("action", step));
    yield done;
    state = done.state;
  }
}

/** The state in which a recorded life began: its first frame's cell on its map, with the meters of a new episode. */
export function startOf(track, world) {
  const [x, y] = track.at("position", 0);
  return world.begin({ places: track.life.places, x, y });
}

/**
 * Whether a recorded life is the page's own: whole numbers are equal, meters and rewards as near as a file tells them.
 *
 * Returns {equal, steps: how many are equal, firstDifference: null or {frame, column, component, recorded, here}}; the
 * frame is the one that the step leads to, the column "ended" or "cause" where the end of the life differs.
 */
export function checkWorld(track, world) {
  const start = startOf(track, world);
  let steps = 0, firstDifference = differs(track, 0, 0, columnsOfFrame(world, start));
  if (firstDifference === null) {
    for (const done of relive(track, world)) {
      firstDifference = differsInStep(track, world, steps, done);
      if (firstDifference !== null) break;
      steps += 1;
    }
  }
  return { equal: firstDifference === null, steps, firstDifference };
}

/** Null where the page can go on from a recorded life by its own rules; else why not, a sentence for a person. */
export function whyNotPlayed(track, world) {
  if (world.known !== null) return world.known;
  const { firstDifference } = checkWorld(track, world);
  if (firstDifference === null) return null;
  return `This page's rules part from the recording ${whereIn(firstDifference)}.`;
}

/** Where a first difference lies, as the end of a sentence. */
export function whereIn({ frame, column, recorded, here }) {
  const short = (value) => (typeof value === "number" ? Number(value.toPrecision(4)) : value);
  return `at frame ${frame}: ${column} is ${short(recorded)} there, ${short(here)} here`;
}

function differsInStep(track, world, step, done) {
  return differs(track, step + 1, step, { completed: [done.completed], reward: done.rewards })
    ?? differs(track, step + 1, step + 1, columnsOfFrame(world, done.state))
    ?? differsInEnd(track, step + 1, done);
}

function columnsOfFrame(world, state) {
  const { x, y, tick, progress, meters } = state;
  return { tick: [tick], position: [x, y], progress: [progress], meters: [...meters], allowed: [world.mask(state)] };
}

/** The first of the page's numbers, by column, that the track does not have at a time; null for none. */
function differs(track, frame, time, columns) {
  for (const [column, numbers] of Object.entries(columns)) {
    const recorded = track.at(column, time);
    const component = numbers.findIndex((here, index) => !meets(track, column, index, recorded[index], here));
    if (component >= 0) return { frame, column, component, recorded: recorded[component], here: numbers[component] };
  }
  return null;
}

/** Whether a number is what was stored: within half a step of its scale, which Python's rounding widens a little. */
function meets(track, column, component, recorded, here) {
  const scale = track.replay.columns.get(column).scale?.[component] ?? null;
  if (scale === null || scale === 1) return recorded === here; // a component that is always the same has a scale of 1
  return Math.abs(recorded - here) <= 0.51 * scale;
}

/** How a life ends is known at its last frame; in all others it goes on. */
function differsInEnd(track, frame, { died, truncated, cause }) {
  const { life } = track, last = frame === life.length;
  const here = died ? "death" : truncated ? "limit" : last ? "cut" : null, recorded = last ? life.ended : null;
  if (here !== recorded) return { frame, column: "ended", component: 0, recorded, here };
  if (last && cause !== life.cause) return { frame, column: "cause", component: 0, recorded: life.cause, here: cause };
  return null;
}
