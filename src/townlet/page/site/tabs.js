// Views of which one is shown at a time.

import { element } from "townlet/drawing.js";

/** Tabs of views: {root, draw, choose(id), chosen(), listen(fn)}. Arrow keys go from one to the next. */
export function makeTabs(views, app) {
  const listeners = new Set(), parts = views.map((view) => makePart(view, app));
  const list = element("div", { class: "tablist", role: "tablist", "aria-label": "More about this life" },
    ...parts.map((part) => part.tab));
  const root = element("section", { class: "card tabs" }, list, ...parts.map((part) => part.panel));
  let chosen = 0;

  function choose(index, focus = false) {
    chosen = index;
    parts.forEach((part, i) => {
      part.tab.setAttribute("aria-selected", i === index);
      part.tab.tabIndex = i === index ? 0 : -1;
      part.panel.hidden = i !== index;
    });
    if (focus) parts[index].tab.focus();
    listeners.forEach((listener) => listener());
  }

  parts.forEach((part, index) => part.tab.addEventListener("click", () => choose(index)));
  list.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    choose((chosen + by + parts.length) % parts.length, true);
  });
  if (parts.length > 0) choose(0);
  return {
    root,
    draw: (moment) => parts[chosen]?.draw(moment),
    choose: (id, focus = false) => {
      const index = views.findIndex((view) => view.id === id);
      if (index >= 0) choose(index, focus);
    },
    chosen: () => views[chosen]?.id ?? null,
    listen: (listener) => listeners.add(listener),
  };
}

function makePart(view, app) {
  const body = element("div", { class: "body" });
  const tab = element("button", {
    type: "button", role: "tab", id: `tab-${view.id}`, "aria-controls": view.id, text: view.title,
  });
  const panel = element("div", { class: "panel", role: "tabpanel", id: view.id, "aria-labelledby": `tab-${view.id}` },
    element("p", { class: "hint", text: view.hint }), body);
  return { tab, panel, draw: view.make(body, app).draw };
}
