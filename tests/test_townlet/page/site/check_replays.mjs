// Check, for a test in Python, that the page's network says of each life in the files named what was recorded of it.

import { readFileSync } from "node:fs";

import { readReplay } from "townlet/format/replay.js";
import { makeNetwork } from "townlet/network/network.js";
import { checkNetwork } from "townlet/network/parity.js";
import { RecordedTrack } from "townlet/track/recorded.js";
import { World } from "townlet/world/world.js";

const found = [];
for (const path of process.argv.slice(2)) {
  const replay = await readReplay(new Uint8Array(readFileSync(path)).buffer);
  const world = new World(replay.header), network = makeNetwork(replay);
  found.push(replay.header.lives.map((_, life) => checkNetwork(new RecordedTrack(replay, life), world, network)));
}
process.stdout.write(JSON.stringify(found));
