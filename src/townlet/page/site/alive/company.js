// Who else lived on the same map from the same cell: those of other replays, a network that has learned nothing, and a
// script that knows the whole map.

import { freshWeights } from "townlet/alive/untrained.js";
import { learned } from "townlet/explain/words.js";
import { makeNetwork } from "townlet/network/network.js";
import { fork } from "townlet/track/lived.js";
import { hasPlanner, plannedBeside } from "townlet/track/planned.js";
import { RecordedTrack } from "townlet/track/recorded.js";

const SEED = 1; // of the fresh weights
const UNTRAINED = "untrained, fresh weights of this page";
const PARTS = "Its life does not end in this page as it did when it was recorded.";

/** Whether lives of an app may have company. */
export function mayHaveCompany({ alive, beside, replay }) {
  return beside.length > 0 || alive?.thinks === true || hasPlanner(replay);
}

/**
 * The company of a recorded life: {lives: [{label, track}], of which those that grow have yet to be lived; missing: a
 * sentence on who should be here and is not, "" for nobody}.
 */
export function companyOf(app, track) {
  const lives = app.beside.flatMap((replay) => sameStart(replay, track));
  if (app.alive?.thinks === true && app.replay.weights !== null) {
    lives.push({ label: UNTRAINED, track: fork(app.alive.untrained, track, 0) });
  }
  if (app.alive === null || !hasPlanner(track)) return { lives, missing: "" };
  const planner = app.alive.plays ? plannedBeside(track, app.alive.mind.world) : null;
  if (planner !== null) return { lives: [...lives, { label: planner.label, track: planner }], missing: "" };
  return { lives, missing: `The planner is not here. ${app.alive.plays ? PARTS : app.alive.told}` };
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
