// What the page shows at the moment: which replay, whose life, which frame, how fast it plays. It knows no document and
// no clock: who has one calls `advance`. Views look here, and are told by `listen` what changed.

import { RecordedTrack } from "townlet/track/recorded.js";

/** Steps a second that can be chosen, slow to fast; key 1 is the first. */
export const SPEEDS = [0.5, 1, 2, 4, 8, 15, 30, 60, 120];

/**
 * The state of the page. Changes are told as "replay", "tracks", "track", "frame", "playing", "speed", "layers",
 * "notice", "game", "beside", "company", "checked", or "grown", where a life went on.
 */
export class App {
  replay = null;
  tracks = []; // all lives, recorded ones first
  index = 0; // of the one that is followed
  frame = 0;
  playing = false;
  speed = 8; // steps a second
  fraction = 0; // of the way to the next frame, while it plays
  layers = { fog: true, trace: true, tiles: false }; // what lies over the town
  alive = null; // the replay's world and network in the page, where they can live
  beside = []; // other replays, whose lives may have begun as those that are shown did
  company = []; // lives that are shown beside the one that is followed
  game = null; // what a person plays, see game.js
  notice = null; // a sentence that a person must read
  #makeAlive;
  #eventsOf; // a track -> [{frame, kind, text}], in their order
  #events = new WeakMap(); // by track: what was found, and of how much of it
  #stop = null; // the frame at which playing ends, where it is not the last
  #listeners = new Set();

  /**
   * `eventsOf(track)` tells what is worth a look in a life: [{frame, kind, text}], by frame; `makeAlive(replay)` makes
   * what lives go on by.
   */
  constructor(eventsOf = () => [], makeAlive = () => null) {
    this.#eventsOf = eventsOf;
    this.#makeAlive = makeAlive;
  }

  /** What is worth a look in the life that is followed. */
  get events() {
    const { track } = this;
    if (track === null) return [];
    const known = this.#events.get(track);
    if (known?.frames === track.frames && known.changes === track.changes.length) return known.found;
    const found = this.#eventsOf(track);
    this.#events.set(track, { found, frames: track.frames, changes: track.changes.length });
    return found;
  }

  /** The life that is followed; null before a replay is there. */
  get track() {
    return this.tracks[this.index] ?? null;
  }

  /** The number of the last frame of the life that is followed. */
  get last() {
    return (this.track?.frames ?? 1) - 1;
  }

  /** Show a replay from the first frame of its first life on. */
  show(replay) {
    this.pause();
    this.replay = replay;
    this.alive = this.#makeAlive(replay);
    [this.game, this.beside, this.company] = [null, [], []];
    this.tracks = replay.header.lives.map((_, index) => new RecordedTrack(replay, index));
    this.index = 0;
    this.#move(0);
    this.#tell("replay");
  }

  /** Add a life, such as one that the page lives itself; returns its index. */
  add(track) {
    this.tracks = [...this.tracks, track];
    this.#tell("tracks");
    return this.tracks.length - 1;
  }

  /** Put a life in the place of one, and follow it. */
  replace(index, track) {
    this.tracks = this.tracks.with(index, track);
    this.index = index;
    this.#move(Math.min(this.frame, this.last));
    this.#tell("tracks");
  }

  /** Let go of a life that the page lives; the one that it left is followed again, or what is left of those before. */
  remove(index) {
    let { parent } = this.tracks[index];
    this.tracks = this.tracks.toSpliced(index, 1);
    while (parent && !this.tracks.includes(parent)) parent = parent.parent;
    if (this.index === index) this.index = Math.max(0, this.tracks.indexOf(parent));
    else if (this.index > index) this.index -= 1;
    this.#move(Math.min(this.frame, this.last));
    this.#tell("tracks");
  }

  /** Say a sentence that a person must read; null takes it away. */
  say(sentence) {
    if (this.notice === sentence) return;
    this.notice = sentence;
    this.#tell("notice");
  }

  /** Begin or end a game, or show that it went on. */
  setGame(game) {
    this.game = game;
    this.#tell("game");
  }

  /** Let other replays be compared with, in the place of those that were. */
  setBeside(replays) {
    this.beside = replays;
    this.#tell("beside");
  }

  /** Show lives beside the one that is followed; those that grow are lived on. */
  setCompany(tracks) {
    this.company = tracks;
    this.#tell("company");
  }

  /** Do what is left to do, while `goOn()` says so, a piece at a time; returns whether something is left. */
  work(goOn) {
    const done = new Set();
    let piece = null;
    do {
      piece = this.alive === null ? null : this.alive.work([...this.tracks, ...this.company], this.track, this.frame);
      done.add(piece);
    } while (piece !== null && goOn());
    if (done.has("checked") && this.alive.checked.done) this.#afterChecks();
    if (done.has("grown")) this.#tell("grown");
    return piece !== null;
  }

  /** Follow the life of an index, at the frame that is shown, or its last where it is shorter. */
  follow(index) {
    if (!Number.isInteger(index) || index < 0 || index >= this.tracks.length || index === this.index) return;
    this.index = index;
    this.#move(Math.min(this.frame, this.last));
    this.#tell("track");
  }

  /** Show a frame of the life; beyond its ends, the nearest. */
  seek(frame) {
    const nearest = Math.max(0, Math.min(this.last, Math.round(frame)));
    if (!Number.isFinite(frame) || (nearest === this.frame && this.fraction === 0)) return;
    this.#move(nearest);
    this.#tell("frame");
  }

  /** The nearest event after the frame, or before it with `way` -1, of a kind or of any; null for none. */
  eventFrom(way, kind = null) {
    const there = this.events.filter((event) => (kind === null || event.kind === kind)
      && (way > 0 ? event.frame > this.frame : event.frame < this.frame));
    return (way > 0 ? there[0] : there.at(-1)) ?? null;
  }

  /** Show the nearest event after the frame, or before it with `way` -1. */
  goToEvent(way) {
    const event = this.eventFrom(way);
    if (event === null) return;
    this.pause();
    this.seek(event.frame);
  }

  /** Play on, from the start where the end is shown; up to the frame `stop`, if one is given. */
  play(stop = null) {
    if (this.track === null || this.last === 0) return;
    this.#stop = stop;
    if (this.frame >= this.last) this.seek(0);
    if (this.playing) return;
    this.playing = true;
    this.#tell("playing");
  }

  pause() {
    this.#stop = null;
    if (!this.playing) return;
    this.playing = false;
    this.fraction = 0;
    this.#tell("playing");
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** Choose how many steps a second are played. */
  setSpeed(speed) {
    this.speed = Math.max(SPEEDS[0], Math.min(SPEEDS.at(-1), speed));
    this.#tell("speed");
  }

  /** Show or hide a layer of the town. */
  setLayer(name, shown) {
    if (this.layers[name] === shown) return;
    this.layers = { ...this.layers, [name]: shown };
    this.#tell("layers");
  }

  /** Let `seconds` go by: while it plays, the frame moves on by as many steps as are due, and stops at the end. */
  advance(seconds) {
    if (!this.playing) return;
    const end = Math.min(this.#stop ?? this.last, this.last), due = this.fraction + seconds * this.speed;
    const frame = Math.min(end, this.frame + Math.floor(due));
    this.fraction = frame < end ? due - Math.floor(due) : 0;
    if (frame !== this.frame) {
      this.frame = frame;
      this.#tell("frame");
    }
    if (frame >= end && !(this.track.growing && end === this.last)) this.pause(); // a life that grows is waited for
  }

  /** Call `listener(what)` at each change; returns a function that ends it. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lives by rules that are not the recorded ones are none of this replay. */
  #afterChecks() {
    for (let index = this.tracks.length - 1; !this.alive.plays && index >= 0; index--) {
      if (this.tracks[index].kind === "lived") this.remove(index);
    }
    if (!this.alive.plays) this.game = null;
    this.#tell("checked");
  }

  #move(frame) {
    this.say(null);
    this.frame = frame;
    this.fraction = 0;
  }

  #tell(what) {
    for (const listener of this.#listeners) listener(what);
  }
}
