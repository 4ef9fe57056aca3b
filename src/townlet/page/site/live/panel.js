// The training in numbers and curves.

import { element } from "townlet/drawing.js";
import { drawCurves, seriesProperty } from "townlet/live/curves.js";
import { count, duration, figure } from "townlet/live/news.js";

/** How a run stands: {root, draw(news)}. */
export function makePanel() {
  const facts = element("dl", { class: "facts" }), curves = element("div", { class: "curves" });
  const groups = element("div", { class: "groups" });
  const root = element("div", { class: "training" }, facts, curves, groups);
  let pictures = [], known = "";
  return {
    root,
    draw(news) {
      if (news.run === null) return;
      const now = JSON.stringify(news.run.pictures);
      if (now !== known) { // of another run, or of another level
        [known, pictures] = [now, news.run.pictures.map(makePicture)];
        curves.replaceChildren(...pictures.map((picture) => picture.root));
      }
      tell(facts, factsOf(news.run));
      for (const picture of pictures) picture.draw(news.points);
      groups.replaceChildren(...news.run.groups.map(makeGroup));
    },
  };
}

/** What is known of a run, as [name, value] in words. */
export function factsOf(run) {
  const rate = run.steps_per_second, left = Math.max(0, run.total_steps - run.step);
  const going = run.state === "training" && rate > 0;
  return [
    ["steps", `${count(run.step)} of ${count(run.total_steps)}`],
    ["time", duration(run.elapsed) + (going ? `, ${duration(left / rate)} left` : "")],
    ["steps a second", rate === null ? "–" : count(rate)],
    ["agents", run.agents.toLocaleString("en")],
    ["seed", String(run.seed)],
  ];
}

function makePicture(picture) {
  const canvas = element("canvas", { role: "img" }), values = element("p", { class: "values" });
  const root = element("figure", {}, element("figcaption", { text: picture.title }), canvas, values);
  const marks = picture.series.map(({ label }, index) => {
    const mark = element("i"), text = element("span");
    mark.style.background = `var(--${seriesProperty(index)})`;
    values.append(element("span", { class: "mark" }, mark, text));
    return (value) => { text.textContent = `${label} ${figure(value)}`; };
  });
  return {
    root,
    draw(points) {
      picture.series.forEach(({ metric }, index) => marks[index](points.get(metric)?.at(-1)?.[1]));
      canvas.setAttribute("aria-label", `${picture.title}: ${values.textContent}`);
      if (canvas.clientWidth > 0) drawCurves(canvas, picture, points);
    },
  };
}

function makeGroup({ title, rows }) {
  const list = element("dl");
  tell(list, Object.entries(rows).map(([name, value]) => [name, figure(value)]));
  return element("section", {}, element("h3", { text: title }), list);
}

function tell(list, rows) {
  list.replaceChildren(...rows.map(([name, value]) => element("div", {},
    element("dt", { text: name }), element("dd", { text: value }))));
}
