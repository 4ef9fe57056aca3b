// The timeline: the life from its first step to its last, with its meters and with what is worth a look.

import { SPEEDS } from "townlet/app.js";
import { button } from "townlet/bar.js";
import { element } from "townlet/drawing.js";
import { KINDS } from "townlet/explain/events.js";
import { dayAndTime } from "townlet/explain/places.js";
import { icon } from "townlet/icons.js";
import { eventAt, frameAt, paintLife } from "townlet/views/timeline_life.js";

const PAGE = 50; // steps of Page Up and Page Down

/** The view of the timeline. */
export const timeline = {
  id: "timeline",
  title: "The timeline",
  hint: "Each strip is a meter, tall where it is full. Marks are moments worth a look.",
  make(root, app) {
    const controls = makeControls(app), life = makeLife(app);
    root.append(controls.root, life.root);
    return {
      draw(moment) {
        controls.draw(moment);
        life.draw(moment);
      },
    };
  },
};

function makeControls(app) {
  const play = button("play", "Play (space)");
  const [start, stop] = [button("previous", "The event before (P)"), button("next", "The next event (N)")];
  const [back, on] = [button("back", "A step back (left arrow)"), button("forward", "A step on (right arrow)")];
  const where = element("output", { class: "where", "aria-live": "off" }), time = element("span", { class: "quiet" });
  const speed = element("input", { type: "range", min: 0, max: SPEEDS.length - 1, step: 1, "aria-label": "Speed" });
  const fast = element("span", { class: "fast" }), until = makeUntil(app);
  play.classList.add("main");
  play.addEventListener("click", () => app.toggle());
  start.addEventListener("click", () => app.goToEvent(-1));
  stop.addEventListener("click", () => app.goToEvent(1));
  back.addEventListener("click", () => { app.pause(); app.seek(app.frame - 1); });
  on.addEventListener("click", () => { app.pause(); app.seek(app.frame + 1); });
  speed.addEventListener("input", () => app.setSpeed(SPEEDS[speed.valueAsNumber]));
  const root = element("div", { class: "controls" }, element("div", { class: "transport" }, start, back, play, on, stop),
    where, time, until.root, element("label", { class: "speed" }, speed, fast));
  let playing = null;
  return {
    root,
    draw({ track, frame }) {
      where.textContent = `Step ${frame} of ${track.frames - 1}`;
      time.textContent = dayAndTime(track.header, track.value("tick", frame)) ?? "";
      speed.value = nearest(app.speed);
      speed.setAttribute("aria-valuetext", `${app.speed} steps a second`);
      fast.textContent = `${app.speed}/s`;
      until.draw();
      if (playing === app.playing) return;
      playing = app.playing;
      play.replaceChildren(icon(playing ? "pause" : "play"));
      play.setAttribute("aria-label", playing ? "Pause (space)" : "Play (space)");
    },
  };
}

/** Play on until the next event of a kind. */
function makeUntil(app) {
  const root = element("select", { class: "until", "aria-label": "Play until" });
  let told = null;
  root.addEventListener("change", () => {
    const event = app.eventFrom(1, root.value);
    if (event !== null) app.play(event.frame);
    root.selectedIndex = 0;
  });
  return {
    root,
    draw() {
      if (told === app.track) return;
      told = app.track;
      const kinds = [...new Set(app.events.map((event) => event.kind))];
      root.replaceChildren(element("option", { text: "Play until …" }),
        ...kinds.map((kind) => element("option", { value: kind, text: KINDS[kind] ?? kind })));
      root.hidden = kinds.length === 0;
    },
  };
}

function nearest(speed) {
  return SPEEDS.reduce((best, one, index) => (Math.abs(one - speed) < Math.abs(SPEEDS[best] - speed) ? index : best), 0);
}

/** The strip that is scrubbed, by pointer and by keys. */
function makeLife(app) {
  const canvas = element("canvas"), tip = element("p", { class: "tip", hidden: true });
  const root = element("div", {
    class: "life", role: "slider", tabindex: 0, "aria-label": "Step", "aria-valuemin": 0, "aria-orientation": "horizontal",
  }, canvas, tip);
  let drawn = null, dragging = false;
  const seek = (event) => { app.pause(); app.seek(frameAt(event.clientX - canvas.getBoundingClientRect().left, drawn)); };
  root.addEventListener("pointerdown", (event) => {
    if (drawn === null || event.button !== 0) return;
    root.setPointerCapture(event.pointerId);
    dragging = true;
    seek(event);
  });
  root.addEventListener("pointermove", (event) => {
    if (dragging) seek(event);
    if (drawn !== null) showTip(tip, app, drawn, event.clientX - canvas.getBoundingClientRect().left);
  });
  for (const ended of ["pointerup", "pointercancel"]) root.addEventListener(ended, () => { dragging = false; });
  root.addEventListener("pointerleave", () => { tip.hidden = true; });
  root.addEventListener("keydown", (event) => {
    const to = { PageUp: app.frame + PAGE, PageDown: app.frame - PAGE }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    app.pause();
    app.seek(to);
  });
  return {
    root,
    draw(moment) {
      drawn = paintLife(canvas, moment, app.events);
      root.setAttribute("aria-valuemax", moment.track.frames - 1);
      root.setAttribute("aria-valuenow", moment.frame);
      const here = app.events.find((event) => event.frame === moment.frame);
      root.setAttribute("aria-valuetext", `step ${moment.frame}${here ? `: ${here.text}` : ""}`);
    },
  };
}

function showTip(tip, app, drawn, x) {
  const event = eventAt(x, drawn, app.events), frame = frameAt(x, drawn);
  tip.textContent = event === null ? `step ${frame}` : `step ${event.frame}: ${event.text}`;
  tip.hidden = false;
  const half = tip.offsetWidth / 2;
  tip.style.left = `${Math.max(half, Math.min(drawn.width - half, x))}px`;
}
