// The bar on top: what is shown, whose life, and what can be done with the page.

import { makeAbout } from "townlet/about.js";
import { element, words } from "townlet/drawing.js";
import { chooseFile } from "townlet/files.js";
import { learned } from "townlet/explain/words.js";
import { icon } from "townlet/icons.js";
import { makeHelp } from "townlet/keys.js";
import { changeTheme } from "townlet/theme.js";

const COPIED = 1600; // ms that a button says so

/** The bar: {root, draw(moment), help, proof}. `open(bytes)` shows a replay; `link()` leads to what is shown. */
export function makeBar(app, open, link) {
  const level = element("p", { class: "level" }), about = element("p", { class: "about" });
  const chosen = element("select", { "aria-label": "Whose life" });
  const [before, after] = [button("back", "The life before (K)"), button("forward", "The next life (J)")];
  const lives = element("div", { class: "lives", hidden: true }, before, chosen, after);
  const help = makeHelp(), facts = makeAbout(app);
  const copy = button("link", "Copy a link to this moment");
  const theme = button("theme", "Light or dark");
  const file = button("open", "Open another replay");
  const keys = button("keys", "Keys (?)");
  const origin = button("about", "About this replay");
  const proof = button("proof", "What this page computes itself");
  proof.classList.add("proof");
  proof.hidden = true; // there is nothing yet to compare
  if (window.location.protocol === "about:") copy.hidden = true;
  const root = element("header", { class: "bar" },
    element("h1", { text: "Townlet" }), element("div", { class: "what" }, level, about), lives,
    element("div", { class: "tools" }, proof, origin, file, copy, theme, keys), help.root, facts.root);

  before.addEventListener("click", () => app.follow(app.index - 1));
  after.addEventListener("click", () => app.follow(app.index + 1));
  chosen.addEventListener("change", () => app.follow(chosen.selectedIndex));
  copy.addEventListener("click", () => copyLink(copy, link()));
  theme.addEventListener("click", changeTheme);
  file.addEventListener("click", () => chooseFile(open));
  keys.addEventListener("click", help.toggle);
  origin.addEventListener("click", facts.toggle);
  app.listen((what) => {
    if (what === "replay") tellLevel(app.replay.header, level, about);
    if (what === "replay" || what === "tracks") fillLives(app, chosen, lives);
    if (what === "grown" && !app.tracks.some((track) => track.growing)) fillLives(app, chosen, lives);
    if (what === "replay" || what === "checked") tellProof(proof, app.alive);
  });
  return {
    root,
    help,
    proof,
    draw() {
      const playing = app.game !== null; // the life that a person plays is the one that is shown
      tellLife(chosen.options[app.index], app.track); // it may have grown
      chosen.selectedIndex = app.index;
      chosen.disabled = playing;
      before.disabled = playing || app.index === 0;
      after.disabled = playing || app.index === app.tracks.length - 1;
    },
  };
}

/** A shield where the page's own numbers are the recorded ones; hidden as long as that is not known. */
function tellProof(proof, alive) {
  proof.hidden = alive === null || (alive.plays && !alive.checked.done);
  if (proof.hidden) return;
  proof.classList.toggle("done", alive.thinks);
  proof.classList.toggle("wrong", alive.parts);
  proof.replaceChildren(icon(alive.thinks ? "proof" : "doubt"));
  proof.title = alive.told;
  proof.setAttribute("aria-label", alive.told);
}

/** A button that is a drawing, with what it does in words. */
export function button(drawing, label) {
  return element("button", { type: "button", class: "tool", "aria-label": label, title: label }, icon(drawing));
}

function tellLevel(header, level, about) {
  const { learned: where } = header.origin;
  level.textContent = `Level ${header.level.id}: ${words(header.level.name).toLowerCase()}`;
  const elsewhere = where !== null && where !== header.level.id ? ` in level ${where}` : "";
  about.textContent = `${learned(header)}${elsewhere}. ${header.level.description}`;
  about.title = about.textContent;
  document.title = `Townlet: level ${header.level.id}`;
}

function fillLives(app, chosen, lives) {
  const options = app.tracks.map(() => element("option"));
  options.forEach((option, index) => tellLife(option, app.tracks[index]));
  chosen.replaceChildren(...options);
  chosen.selectedIndex = app.index;
  lives.hidden = app.tracks.length < 2;
}

function tellLife(option, track) {
  const text = `${track.label}: ${told(track)}`;
  if (option.textContent !== text) option.textContent = text;
}

/** A life in a few words. */
export function told({ header, life, kind, by }) {
  const steps = `${life.length} ${life.length === 1 ? "step" : "steps"}`;
  if (life.ended === "death") return `died of ${words(header.world.meters[life.cause].name).toLowerCase()}, ${steps}`;
  return life.ended === "limit" ? `lived to the end, ${steps}` : `${steps} ${kind === "lived" && by !== "planner" ? "so far" : "recorded"}`;
}

async function copyLink(copy, link) {
  const before = copy.title;
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(link);
  } catch (error) {
    said = `Not copied: ${error.message}`;
  }
  copy.classList.add("done");
  copy.title = said;
  copy.setAttribute("aria-label", said);
  setTimeout(() => {
    copy.classList.remove("done");
    copy.title = before;
    copy.setAttribute("aria-label", before);
  }, COPIED);
}
