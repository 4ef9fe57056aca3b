// What the server of a run has told so far. Touches no document: who is told of news calls `take`.

/** The news of a run: how it stands, the points of its curves by metric, and which recordings there are. */
export class News {
  run = null; // as the server's event "run" says it
  points = new Map(); // metric -> [[step, value|null]], in order of steps
  recordings = []; // [{path, step}], the oldest agent first
  said = ""; // why there is no newer recording

  /** Take over an event of the server: its kind and its message. */
  take(kind, message) {
    if (kind === "run") this.run = message;
    if (kind === "replays") [this.recordings, this.said] = [message.recordings, message.said];
    if (kind !== "points") return;
    if (message.anew) this.points.clear();
    for (const [metric, came] of Object.entries(message.points)) {
      this.points.set(metric, [...(this.points.get(metric) ?? []), ...came]);
    }
  }

  /** The recording of the newest agent; null before there is one. */
  get newest() {
    return this.recordings.at(-1) ?? null;
  }

  /** Which recording is to be shown now: the one that was chosen, by its path, or for null the newest. */
  wanted(path) {
    return this.recordings.find((recording) => recording.path === path) ?? this.newest;
  }
}

/** A count in few letters: 950, 12,345, 3.5 M. */
export function count(number) {
  if (number < 100_000) return Math.round(number).toLocaleString("en");
  const [unit, name] = number < 1e6 ? [1e3, "k"] : number < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${Number((number / unit).toPrecision(3))} ${name}`;
}

/** Seconds as m:ss, from an hour on h:mm:ss. */
export function duration(seconds) {
  const [minutes, rest] = [Math.floor(seconds / 60), String(Math.floor(seconds % 60)).padStart(2, "0")];
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** A value of a curve with three digits or so; a dash where there is none. */
export function figure(value) {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : String(Number(value.toPrecision(2)));
}
