// What the page shows and where it comes from: the level, the agent, the maps, and how to record it again.

import { element, words } from "townlet/drawing.js";

/** The dialog: {root, toggle}. It is filled when it opens, with the replay and the life that `app` shows then. */
export function makeAbout(app) {
  const facts = element("dl"), level = element("pre", { class: "yaml" });
  const close = element("button", { type: "button", class: "main", text: "Close" });
  const root = element("dialog", { class: "help about-replay", "aria-label": "About this replay" },
    element("h2", { text: "About this replay" }), facts,
    element("details", {}, element("summary", { text: "The whole level" }), level), close);
  close.addEventListener("click", () => root.close());
  function fill() {
    const { header } = app.replay;
    facts.replaceChildren(...told(header, app.track.life).flatMap(([name, text]) => [
      element("dt", { text: name }), element("dd", { text }),
    ]));
    level.textContent = header.level.yaml;
  }
  return {
    root,
    toggle() {
      if (root.open) root.close();
      else if (app.replay !== null) {
        fill();
        root.showModal();
      }
    },
  };
}

/** The facts of a replay and of one of its lives, in rows [name, text]. */
export function told(header, life) {
  const { origin, level } = header;
  const known = Object.entries(level.yardsticks).map(([who, steps]) => `${who} ${steps}`).join(", ");
  const versions = Object.entries(origin.versions).map(([what, version]) => `${words(what)} ${version}`).join(", ");
  const { run, run_id: id, checkpoint } = origin, agent = [run, checkpoint].filter((part) => part !== null).join(", ");
  return [
    ["level", `${level.id}, ${level.name}: ${level.description}`],
    ...(known ? [["known lives", `${known}, of ${header.world.max_steps} steps`]] : []),
    ...(agent ? [["agent", id === null ? agent : `${agent} (run ${id})`]] : []),
    ["learned", `${origin.env_steps.toLocaleString("en")} steps in level ${origin.learned ?? level.id}`],
    ["maps", `${origin.maps} maps, of a pool by seed ${origin.level_seed}; whose life where, by seed ${origin.seed}`],
    ["this life", `agent ${life.agent}, map ${life.map}, reward ${life.total_reward.toFixed(2)} in all`],
    ["recorded", `${header.lives.length} lives of at most ${header.steps} steps, by ${versions}`],
  ];
}
