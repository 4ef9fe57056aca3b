// What lives in the page: the world and the network of a replay, and whether both are those that were recorded.

import { untrainedMind } from "townlet/alive/company.js";
import { makeNetwork, whyUnknown } from "townlet/network/network.js";
import { checking } from "townlet/network/parity.js";
import { prepare } from "townlet/track/lived.js";
import { RecordedTrack } from "townlet/track/recorded.js";
import { whereIn, whyNotPlayed } from "townlet/world/parity.js";
import { World } from "townlet/world/world.js";

/** The world and network of a replay, checked against all that it holds, a little at each call of `work`. */
export class Alive {
  #checks;
  #unknown; // why the network is not known, a sentence; null where it is
  #wrong = null; // where the page's own numbers part from the recording, a sentence
  #known; // whether the world is
  #replay;
  #untrained = null;
  checked = { done: false, steps: 0, largest: 0 };

  constructor(replay) {
    const world = new World(replay.header), unknown = whyUnknown(replay.header);
    this.#known = world.known === null;
    this.#unknown = unknown;
    /** What lives go on by: {world, network}; the network is null where it is not known. */
    this.mind = { world, network: unknown === null && this.#known ? makeNetwork(replay) : null };
    this.#replay = replay;
    this.#checks = this.#check(replay);
  }

  /** Whether the page's own numbers part from the recording. */
  get parts() {
    return this.#wrong !== null;
  }

  /** Whether a person can play here. */
  get plays() {
    return this.#known && this.#wrong === null;
  }

  /** Whether lives can go on by the policy. */
  get thinks() {
    return this.plays && this.mind.network !== null;
  }

  /** The same, with a network that has learned nothing. */
  get untrained() {
    return (this.#untrained ??= untrainedMind(this.mind.world, this.#replay));
  }

  /** What the page computes itself and whether that equals the recording, in words. */
  get told() {
    const alone = "So lives are played from the recording alone.";
    if (!this.#known) return `${this.mind.world.known} ${alone}`;
    if (this.#wrong !== null) return `${this.#wrong} ${alone}`;
    if (!this.checked.done) return "This page is comparing its own world and values with what was recorded …";
    const steps = `${this.checked.steps.toLocaleString("en")} steps checked`;
    if (this.#unknown !== null) {
      return `${this.#unknown} So what it does is played from the recording alone. ` +
        `The world this page computes itself, and it equals what was recorded: ${steps}.`;
    }
    const largest = this.checked.largest === 0 ? "0" : this.checked.largest.toExponential(0);
    return "This page computes the world and Q itself, and both equal what was recorded: " +
      `${steps}, largest difference ${largest}.`;
  }

  /**
   * Do one small piece of what is left to do: let lives go on, the one that is followed first; compare; make ready to
   * leave `track` at `frame`. Returns what was done: "grown", "checked", "ready", or null where nothing is left.
   */
  work(tracks, track, frame) {
    const growing = [track, ...tracks].find((one) => one.growing);
    if (growing !== undefined) {
      growing.live();
      return "grown";
    }
    if (!this.#checks.next().done) return "checked";
    return this.thinks && track.kind === "recorded" && prepare(this.mind, track, frame) ? "ready" : null;
  }

  * #check(replay) {
    const { world, network } = this.mind;
    const tracks = replay.header.lives.map((_, life) => new RecordedTrack(replay, life));
    for (const track of this.#known ? tracks : []) {
      try {
        this.#wrong = whyNotPlayed(track, world);
        if (this.#wrong === null && network !== null) yield* this.#compare(track);
      } catch (error) {
        if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
        this.#wrong = "This page cannot live what this file holds: it is damaged."; // columns that are not there
      }
      if (this.#wrong !== null) break;
      this.checked.steps += track.frames - 1;
      yield;
    }
    this.checked.done = true;
    yield;
  }

  * #compare(track) {
    const { largest, firstDifference } = yield* checking(track, this.mind.world, this.mind.network);
    this.checked.largest = Math.max(this.checked.largest, largest);
    if (firstDifference === null) return;
    this.#wrong = `This page's network parts from the recording ${whereIn(firstDifference)}.`;
  }
}
