// The game: what a person must know to play, buttons for fingers, and at the end who lived longer, and why.

import { element, words } from "townlet/drawing.js";
import { eyesOf } from "townlet/explain/sight.js";
import { verdict } from "townlet/explain/verdict.js";
import { act, begin, controls, leave } from "townlet/game.js";
import { madeOnce } from "townlet/views/made.js";

const SIGNS = { up: "↑", left: "←", down: "↓", right: "→" };
const FOG = "You are the agent: what is out of sight you must remember, as it must. ", ALL = "You are the agent. ";
const TOLD = "The pale figure is how it lived here. Arrows or WASD go, space uses what stands underfoot";

export const game = {
  id: "game",
  title: "You play",
  hint: "",
  make(root, app) {
    const says = element("p", { class: "says" }), warns = element("p", { class: "says decided", role: "status" });
    const pad = element("div", { class: "pad" }), end = element("ul", { class: "wants" });
    const [again, look, out] = ["Play again", "Look at both lives", "Leave the game"].map((text) =>
      element("button", { type: "button", text }));
    again.addEventListener("click", () => begin(app, app.game.you.from));
    for (const button of [look, out]) button.addEventListener("click", () => leave(app));
    root.append(says, warns, pad, end, element("div", { class: "acts" }, again, look, out));
    const buttonsOf = madeOnce((header) => makePad(pad, header, app)), toldOf = madeOnce((told) => {
      end.replaceChildren(...told.lines.map((text) => element("li", { text })));
    });
    let told = null;
    return {
      draw({ track, frame }) {
        if (app.game === null) return;
        const { you, ghost, over } = app.game, allowed = track.value("allowed", frame);
        buttonsOf(track.header).forEach(([action, button]) => { button.disabled = ((allowed >> action) & 1) === 0; });
        const waits = controls(track.header.world).wait === undefined ? "" : ", a full stop waits";
        says.textContent = `${eyesOf(track.header).all ? ALL : FOG}${TOLD}${waits}, Esc leaves.`;
        warns.textContent = app.game.told;
        warns.hidden = app.game.told === "";
        if (over && pad.contains(document.activeElement)) root.closest("section").focus(); // not on what begins anew
        says.hidden = pad.hidden = out.hidden = over;
        again.hidden = look.hidden = end.hidden = !over;
        if (!over) return;
        const key = [you.frames, ghost.frames].join();
        if (told?.of !== you || told.key !== key) told = { of: you, key, lines: verdict(you, ghost) };
        toldOf(told);
      },
    };
  },
};

/** A button for each action, laid out as keys are: [[action, button]]. */
function makePad(pad, header, app) {
  const buttons = Object.entries(controls(header.world)).flatMap(([name, action]) => {
    if (action === undefined) return [];
    const label = words(header.world.actions[action].name);
    const button = element("button", { type: "button", class: name, "aria-label": label, text: SIGNS[name] ?? label });
    button.addEventListener("click", () => act(app, action));
    return [[action, button]];
  });
  pad.replaceChildren(...buttons.map(([, button]) => button));
  return buttons;
}
