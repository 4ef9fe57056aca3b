// What views draw with: canvases as sharp as the screen, colours of the theme, short names of places.

export { words } from "townlet/explain/words.js";

const colours = new Map(); // by custom property, as long as the theme stays

/** Make a canvas as sharp as the screen and clear it: {ctx, width, height} in CSS pixels. */
export function fitCanvas(canvas) {
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = globalThis.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return { ctx, width, height };
}

/** The colour of the theme whose custom property is `--name`. */
export function colour(name) {
  if (!colours.has(name)) {
    colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  }
  return colours.get(name);
}

/** Look all colours up again: the theme changed. */
export function forgetColours() {
  colours.clear();
}

const HUES = 8; // of meters, that are told apart by colour-blind people; then they come again

/** The custom property of a meter's colour, by its index: a style takes `var(--meter-0)`. */
export function meterProperty(index) {
  return `meter-${index % HUES}`;
}

/** The colour of a meter, by its index. */
export function meterColour(index) {
  return colour(meterProperty(index));
}

/** The index of the meter that a place fills most, which it has the colour of; null where it fills none. */
export function filledBy(affordance) {
  const gains = affordance.whole_effect.map((given, meter) => given - affordance.whole_cost[meter]);
  const most = Math.max(...gains);
  return most > 0 ? gains.indexOf(most) : null;
}

/** The colour of a place: of the meter that it fills most. */
export function placeColour(affordance) {
  const meter = filledBy(affordance);
  return meter === null ? colour("quiet") : meterColour(meter);
}

/** One or two letters for each name, all of them different: initials of words, else how it begins. */
export function glyphs(names) {
  const taken = new Set();
  return names.map((name) => {
    const parts = name.match(/[A-Z]?[^A-Z_\s-]+|[A-Z]+/g) ?? [name];
    const letters = [...name].slice(1).filter((letter) => /[\p{L}\p{N}]/u.test(letter));
    const initial = ([...name][0] ?? "?").toUpperCase();
    const wanted = parts.length > 1 ? [parts[0][0] + parts[1][0]] : [];
    const found = [...wanted.map((two) => two.toUpperCase()), ...letters.map((letter) => initial + letter), initial]
      .find((one) => !taken.has(one)) ?? String(taken.size);
    taken.add(found);
    return found;
  });
}

/** A new element with attributes and children; text is text, whatever it holds. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}
