// Where agents have been: counts of frames by cell, and how new a cell is.

/** In how many frames, from the first to `until`, these lives were in each cell: Uint32Array [height * width]. */
export function visitsOf(tracks, until) {
  const { width, height } = tracks[0].header.world, counts = new Uint32Array(width * height);
  for (const track of tracks) {
    const last = Math.min(until, track.frames - 1);
    for (let frame = 0; frame <= last; frame++) {
      counts[track.value("position", frame, 1) * width + track.value("position", frame, 0)]++;
    }
  }
  return counts;
}

/** How new a cell is by its visits, 1 / sqrt(visits), as a bonus for exploring counts it; 1 for one never visited. */
export function noveltyOf(visits) {
  return visits === 0 ? 1 : 1 / Math.sqrt(visits);
}

/** The frame of the first visit of each cell, up to `until`: Int32Array [height * width], -1 for never. */
export function firstVisits(track, until) {
  const { width, height } = track.header.world, first = new Int32Array(width * height).fill(-1);
  for (let frame = Math.min(until, track.frames - 1); frame >= 0; frame--) {
    first[track.value("position", frame, 1) * width + track.value("position", frame, 0)] = frame;
  }
  return first;
}
