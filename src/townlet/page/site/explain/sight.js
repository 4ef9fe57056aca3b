// What an agent sees, and what it has seen and could remember. That is no claim of what its network holds: of most
// networks only what they do tells that. Where the network keeps sightings, its memory holds just these: see `held`.

const NEVER = -1;
const known = new WeakMap(); // by track: what was seen up to the frame that was asked for last

/** How the level lets the world be seen: {all, reach (cells to each side), names (whether a place names itself)}. */
export function eyesOf(header) {
  const parts = new Set(header.world.observation.map((part) => part.name));
  const all = parts.has("offsets"); // how far each place is, wherever the agent stands
  const side = header.world.window ?? 1;
  return { all, reach: (side - 1) / 2, names: all || parts.has("underfoot") };
}

/** Where each affordance stands at a frame, [x, y] or null each: in a life that a person edits places may move. */
export function placesAt(track, frame) {
  return track.places?.(frame) ?? track.life.places;
}

/** Which cells are in view at a frame: Uint8Array [height * width], row by row, 1 where they are. */
export function visible(track, frame) {
  const { width, height } = track.header.world, cells = new Uint8Array(width * height);
  eachInView(track, frame, (cell) => { cells[cell] = 1; });
  return cells;
}

/**
 * What was seen up to a frame, that one too:
 * `seen`  Int32Array [height * width], the frame at which a cell was last in view, -1 for never;
 * `what`  Int16Array [height * width], the affordance that stood there then, -1 for none;
 * `stood` [{x, y, frame} or null], for each affordance where and when the agent last stood on it.
 */
export function sightsOf(track, frame) {
  let sights = known.get(track);
  if (sights === undefined || sights.frame > frame || sights.changes !== track.changes.length) {
    sights = nothingSeen(track);
    known.set(track, sights);
  }
  while (sights.frame < frame) look(track, sights, sights.frame + 1);
  return sights;
}

/**
 * Places out of view that were seen: [{affordance, x, y, age, named, wrong}]. `age` in ticks since they were in view;
 * `named`: the agent has stood there, so that it could tell what it is, for a window shows only that something stands
 * there; `wrong`: it stands there no longer.
 */
export function remembered(track, frame) {
  if (eyesOf(track.header).all) return [];
  const { seen, what, stood } = sightsOf(track, frame), { width } = track.header.world, ghosts = [];
  const places = placesAt(track, frame);
  what.forEach((affordance, cell) => {
    if (affordance === NEVER || seen[cell] === frame) return;
    const [x, y] = [cell % width, Math.floor(cell / width)];
    const at = stood[affordance];
    const named = at !== null && at.x === x && at.y === y;
    ghosts.push({ affordance, x, y, age: frame - seen[cell], named, wrong: !standsAt(places[affordance], x, y) });
  });
  return ghosts;
}

/**
 * What a network that keeps sightings holds, exactly: where each kind of place was last underfoot, as ghosts. null
 * where it keeps none. A place that is seen to be gone is held all the same.
 */
export function held(track, frame) {
  if (!track.header.network.sightings || eyesOf(track.header).all) return null;
  const { stood } = sightsOf(track, frame), places = placesAt(track, frame);
  return stood.flatMap((at, affordance) => {
    if (at === null) return [];
    const { x, y } = at, wrong = !standsAt(places[affordance], x, y);
    return [{ affordance, x, y, age: frame - at.frame, named: true, wrong }];
  });
}

/** Call with each cell in view at a frame, as its number row by row. */
function eachInView(track, frame, call) {
  const { width, height } = track.header.world, { all, reach } = eyesOf(track.header);
  const [x, y] = [track.value("position", frame, 0), track.value("position", frame, 1)];
  const [left, right] = all ? [0, width - 1] : [Math.max(0, x - reach), Math.min(width - 1, x + reach)];
  const [top, bottom] = all ? [0, height - 1] : [Math.max(0, y - reach), Math.min(height - 1, y + reach)];
  for (let row = top; row <= bottom; row++) {
    for (let column = left; column <= right; column++) call(row * width + column);
  }
}

function nothingSeen(track) {
  const { width, height, affordances } = track.header.world, cells = width * height;
  return {
    frame: -1,
    changes: track.changes.length,
    seen: new Int32Array(cells).fill(NEVER),
    what: new Int16Array(cells).fill(NEVER),
    stood: Array(affordances.length).fill(null),
  };
}

function look(track, sights, frame) {
  const { width } = track.header.world, places = placesAt(track, frame);
  const standing = new Map(places.flatMap((at, affordance) => at ? [[at[1] * width + at[0], affordance]] : []));
  eachInView(track, frame, (cell) => {
    sights.seen[cell] = frame;
    sights.what[cell] = standing.get(cell) ?? NEVER;
  });
  const [x, y] = [track.value("position", frame, 0), track.value("position", frame, 1)];
  const underfoot = standing.get(y * width + x);
  if (underfoot !== undefined && eyesOf(track.header).names) sights.stood[underfoot] = { x, y, frame };
  sights.frame = frame;
}

function standsAt(place, x, y) {
  return place !== null && place[0] === x && place[1] === y;
}
