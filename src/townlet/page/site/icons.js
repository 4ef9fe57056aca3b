// Small drawings for buttons, as paths in a square of 24.

const PATHS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  back: "M15 6l-6 6 6 6",
  forward: "M9 6l6 6-6 6",
  previous: "M18 6l-8 6 8 6M7 6v12",
  next: "M6 6l8 6-8 6M17 6v12",
  open: "M4 18V6h6l2 2h8v10z",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  moon: "M12 4a8 8 0 1 0 8 8 6 6 0 0 1-8-8z",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  proof: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6zM8.5 12l2.5 2.5 4.5-5",
  doubt: "M12 4l9 16H3zM12 10v4M12 17h.01",
  keys: "M4 7h16v10H4zM7 10h.01M11 10h.01M15 10h.01M8 14h8",
};
const FILLED = new Set(["play", "pause"]);

/** A drawing by its name, as an SVG element that is not read aloud. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg", svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  svg.classList.toggle("filled", FILLED.has(name));
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
