// Who else lived on the same map from the same cell: a network that has learned nothing, and those of other replays.

import { freshWeights } from "townlet/alive/untrained.js";
import { learned } from "townlet/explain/words.js";
import { makeNetwork } from "townlet/network/network.js";
import { fork } from "townlet/track/lived.js";
import { RecordedTrack } from "townlet/track/recorded.js";

const SEED = 1; // of the fresh weights
const UNTRAINED = "a network that has learned nothing: fresh weights, drawn by this page";

/** The company of a recorded life: [{label, track}], of which those that grow have yet to be lived. */
export function companyOf(app, track) {
  const found = app.beside.flatMap((replay) => sameStart(replay, track));
  if (app.alive?.thinks !== true || app.replay.weights === null) return found;
  const untrained = fork(app.alive.untrained, track, 0);
  return [...found, { label: UNTRAINED, track: untrained }];
}

/** A mind like that of a replay, whose network has fresh weights. */
export function untrainedMind(world, { header, weights }) {
  return { world, network: makeNetwork({ header, weights: freshWeights(weights, SEED) }) };
}

/** The lives of another replay that began as a life did: of the same agent on the same map, in the same world. */
function sameStart(replay, track) {
  const { world } = track.header, start = (one) => JSON.stringify([one.life.places, one.at("position", 0)]);
  const fits = replay.header.world.width === world.width && replay.header.world.height === world.height;
  return (fits ? replay.header.lives : []).flatMap(({ agent }, index) => {
    const other = new RecordedTrack(replay, index);
    const alike = agent === track.life.agent && start(other) === start(track);
    return alike ? [{ label: learned(replay.header), track: other }] : [];
  });
}
