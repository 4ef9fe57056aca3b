// A run that is going on: how it stands, and its newest agent, which the page turns to unless somebody looks at another.

import { element } from "townlet/drawing.js";
import { connect } from "townlet/live/connection.js";
import { count, News } from "townlet/live/news.js";
import { makePanel } from "townlet/live/panel.js";

const GONE = "The server does not answer. What came before stays here, and this page asks again by itself.";

/** Watch the run whose events come from an address: {root, waiting, view}; `open(bytes)` shows a replay. */
export function makeLive(address, app, open) {
  const news = new News(), panel = makePanel(), bar = makeStrip(), waiting = makeWaiting(panel);
  const player = new Player(app, news, open);
  const draw = () => {
    if (news.run !== null) tellRun(news, waiting);
    bar.draw(news, player);
    panel.draw(news);
  };
  bar.choose.addEventListener("change", () => player.choose(bar.choose.value || null).then(draw));
  app.listen(() => player.turn().then((turned) => { if (turned) draw(); }));
  connect(address, (kind, message) => {
    news.take(kind, message);
    if (kind === "replays") player.turn().then(draw);
    draw();
  }, (connected) => bar.tellServer(connected));
  return { root: bar.root, waiting: waiting.root, view: makeView(panel, draw) };
}

/** Turns to the newest recording at the end of a life, or to the one that was chosen at once. */
class Player {
  shown = null; // the path of the recording that is shown
  chosen = null; // the path of the one that somebody chose; null: the newest
  #busy = false;

  constructor(app, news, open) {
    Object.assign(this, { app, news, open });
  }

  /** Show the recording of a path, or for null always the newest. */
  async choose(path) {
    this.chosen = path;
    await this.turn(true);
  }

  /** Show the wanted recording, if it is another; who has paused within a life is left there. Returns whether it did. */
  async turn(now = false) {
    const wanted = this.news.wanted(this.chosen), { app } = this;
    const own = app.tracks.some((track) => track.kind === "lived"); // forks and games are not taken away
    const free = now || app.track === null || (!app.playing && app.frame >= app.last && !own);
    if (wanted === null || wanted.path === this.shown || !free || this.#busy) return false;
    const first = this.shown === null, index = app.index;
    this.#busy = true;
    try {
      await this.open(fetched(wanted.path));
    } finally {
      this.#busy = false;
    }
    this.shown = wanted.path;
    if (!first) {
      app.follow(index);
      app.seek(0);
    }
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!still && (!first || app.frame === 0)) app.play();
    return true;
  }
}

async function fetched(path) {
  const answer = await fetch(path);
  return answer.arrayBuffer(); // a sentence in place of a replay is told as what it is: no replay
}

/** One line: which run, how it stands, and whose life is shown. */
function makeStrip() {
  const said = element("p", { class: "stands", role: "status" });
  const gone = element("p", { class: "notice", role: "alert", hidden: true, text: GONE });
  const choose = element("select", { "aria-label": "Which agent", hidden: true });
  const newer = element("p", { class: "hint" });
  const root = element("section", { class: "live", "aria-label": "The training" }, gone,
    element("div", { class: "line" }, said, newer, choose));
  let listed = "";
  return {
    root,
    choose,
    tellServer(connected) { gone.hidden = connected; },
    draw(news, player) {
      if (news.run !== null) said.textContent = `${news.run.name}: ${news.run.said}`;
      const now = JSON.stringify(news.recordings);
      if (now !== listed) fill(choose, news.recordings, player.chosen);
      listed = now;
      newer.textContent = tellNewer(news, player);
    },
  };
}

function fill(choose, recordings, chosen) {
  choose.hidden = recordings.length === 0;
  const newest = recordings.at(-1);
  choose.replaceChildren(
    element("option", { value: "", text: newest ? `newest agent: ${after(newest)}` : "" }),
    ...recordings.slice(0, -1).reverse().map((one) => element("option", { value: one.path, text: `agent ${after(one)}` })));
  choose.value = chosen ?? "";
}

function after(recording) {
  return `after ${count(recording.step)} steps`;
}

/** What to say of a newer agent than the one that is shown. */
function tellNewer(news, player) {
  if (news.said !== "" && player.shown !== null) return news.said;
  const waits = player.chosen === null && player.shown !== null && news.newest?.path !== player.shown;
  return waits ? "A newer agent is there, and comes at the end of this life." : "";
}

/** What stands in the place of a town before there is one. */
function makeWaiting(panel) {
  const level = element("h2", { text: "A run of Townlet" }), about = element("p"), said = element("p", { class: "hint" });
  return { root: element("section", { class: "empty" }, level, about, said, panel.root), level, about, said };
}

function tellRun(news, { level, about, said }) {
  level.textContent = `Level ${news.run.level}`;
  about.textContent = news.run.description;
  said.textContent = news.said;
}

/** The panel as a view among others, once there is a town. */
function makeView(panel, draw) {
  return {
    id: "training",
    title: "Training",
    hint: "How the training goes: how long agents live, what their memory is worth to them, and how wrong their guesses are.",
    make(root, app) {
      app.listen((what) => { if (what === "replay" && !root.contains(panel.root)) root.append(panel.root); });
      return { draw };
    },
  };
}
