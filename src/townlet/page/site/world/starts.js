// Lives beyond what was recorded: maps and cells drawn in the page. Its generator is its own and small (mulberry32), so
// a seed gives other maps here than in Python, of the same kind: affordances on distinct cells, the agent on any cell.

/** A function that draws whole numbers from 0 to before `below`; the same seed, a whole number, draws the same. */
export function generator(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 * below);
  };
}

/** A map with the affordances that `like` has, [x, y] or null for each, all on distinct cells. */
export function drawPlaces(world, like, draw) {
  const { width, height } = world.tables;
  const cells = Array.from({ length: width * height }, (_, cell) => cell);
  return like.map((place) => {
    if (place === null) return null;
    const [cell] = cells.splice(draw(cells.length), 1);
    return [cell % width, Math.floor(cell / width)];
  });
}

/** The first state of a life by a seed: on a map as `like` is, or on `like` itself where maps are `fixed`. */
export function drawStart(world, like, seed, fixed = false) {
  const draw = generator(seed);
  const places = fixed ? like : drawPlaces(world, like, draw);
  return world.begin({ places, x: draw(world.tables.width), y: draw(world.tables.height) });
}
