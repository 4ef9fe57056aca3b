// For test_alive.py: what the page says of its own world and network for each file named, and whether lives that leave
// recorded ones unchanged, at their start and in their middle, are those to the end.

import { readFileSync } from "node:fs";

import { Alive } from "townlet/alive/alive.js";
import { readReplay } from "townlet/format/replay.js";
import { fork } from "townlet/track/lived.js";
import { RecordedTrack } from "townlet/track/recorded.js";

for (const path of process.argv.slice(2)) {
  const replay = await readReplay(new Uint8Array(readFileSync(path)).buffer), alive = new Alive(replay);
  const tracks = replay.header.lives.map((_, life) => new RecordedTrack(replay, life));
  while (alive.work([], tracks[0], -1) !== null);
  const { plays, thinks, told, checked } = alive;
  const forks = (thinks ? tracks : []).flatMap((track) =>
    [0, Math.floor(track.life.length / 2)].map((frame) => compare(alive, track, frame)));
  console.log(JSON.stringify({ plays, thinks, told, checked, forks }));
}

/** Where a life that leaves a recorded one unchanged is another: {ended, largest difference by column}. */
function compare({ mind }, track, frame) {
  const life = fork(mind, track, frame), apart = {};
  life.liveUntil(track.frames - 1);
  for (const [name, { every, scale }] of track.replay.columns) {
    for (let time = 0; time < track.frames; time += every) {
      const [recorded, here] = [track.at(name, time), life.at(name, time)];
      if (recorded === null && (here === null || name !== "memory")) continue;
      recorded.forEach((value, index) => {
        const far = Math.abs(value - here[index]) - (scale === null || scale[index] === 1 ? 0 : 0.51 * scale[index]);
        apart[name] = Math.max(apart[name] ?? 0, far);
      });
    }
  }
  return { ended: life.life.ended === track.life.ended && life.life.length === track.life.length, apart };
}
