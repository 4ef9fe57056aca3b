// Reads a replay from standard input, in base64, and tells each tick again, cause by cause: how far the sums are from
// what is recorded, at most, and which kinds of causes there were.

import { readFileSync } from "node:fs";

import { readReplay } from "townlet/format/replay.js";
import { actOf, tickTold } from "townlet/explain/cascades.js";
import { RecordedTrack } from "townlet/track/recorded.js";

const bytes = Buffer.from(readFileSync(0, "utf-8"), "base64");
const replay = await readReplay(new Uint8Array(bytes).buffer);
const kinds = new Set();
let apart = 0;
replay.header.lives.forEach((_, index) => {
  const track = new RecordedTrack(replay, index);
  for (let step = 0; step < track.life.length; step++) {
    const before = track.at("meters", step), told = tickTold(replay.header.world, before, actOf(track, step));
    track.at("meters", step + 1).forEach((value, meter) => {
      const lost = told.causes[meter].reduce((sum, { amount }) => sum + amount, 0);
      apart = Math.max(apart, Math.abs(Math.min(1, Math.max(0, before[meter] - lost)) - value));
    });
    told.causes.flat().forEach(({ kind }) => kinds.add(kind));
  }
});
console.log(JSON.stringify({ apart, kinds: [...kinds].sort() }));
