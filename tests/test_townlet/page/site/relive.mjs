// For test_world_parity.py: lives each life of the replays in the folders given once more in the page's world, says
// whether it is what the file holds, and leaves what was seen and paid beside it, in float32. Of the planner's lives it
// says how they are at their ends.

import { readFile, writeFile } from "node:fs/promises";
import { readReplay } from "townlet/format/replay.js";
import { hasPlanner, plannedBeside } from "townlet/track/planned.js";
import { RecordedTrack } from "townlet/track/recorded.js";
import { checkWorld, relive, startOf } from "townlet/world/parity.js";
import { World } from "townlet/world/world.js";

const floats = (file, rows) => writeFile(file, Float32Array.from(rows.flatMap((row) => [...row])));

for (const folder of process.argv.slice(2)) {
  const bytes = await readFile(`${folder}/one.replay`);
  const replay = await readReplay(new Uint8Array(bytes).buffer);
  const world = new World(replay.header);
  const tracks = replay.header.lives.map((_, life) => new RecordedTrack(replay, life));
  const checks = world.known ? [] : tracks.map((track) => checkWorld(track, world));
  const seen = [], paid = [];
  for (const track of checks.every(({ equal }) => equal) ? tracks : []) {
    seen.push(world.observe(startOf(track, world)));
    for (const { state, rewards } of relive(track, world)) {
      seen.push(world.observe(state));
      paid.push(rewards);
    }
  }
  await floats(`${folder}/seen`, seen);
  await floats(`${folder}/paid`, paid);
  const planned = hasPlanner(replay) ? tracks.map((track) => atItsEnd(plannedBeside(track, world))) : null;
  console.log(JSON.stringify({ known: world.known, checks, planned }));
}

function atItsEnd(track) {
  const last = track.frames - 1, { length, ended, cause } = track.life;
  return { end: { length, ended, cause }, position: track.at("position", last), meters: track.at("meters", last) };
}
