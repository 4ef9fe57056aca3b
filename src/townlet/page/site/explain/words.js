// How names and numbers are said: short, and the same everywhere.

/** A name of the level as words: "HomeMeal" and "home_meal" are "Home meal". */
export function words(name) {
  const spaced = name.replace(/[_-]+/g, " ").replace(/(?<=\p{Ll})(?=\p{Lu})/gu, " ").trim();
  const parts = spaced.split(/\s+/).map((part) => (/^\p{Lu}\p{Ll}/u.test(part) ? part.toLowerCase() : part));
  const told = parts.join(" ");
  return told.charAt(0).toUpperCase() + told.slice(1);
}

/** A meter as it stands within a sentence, by its index. */
export function meterName(world, meter) {
  return within(world.meters[meter].name);
}

/** A place, by its index: a name of its own, as the town shows it. */
export function placeName(world, affordance) {
  return words(world.affordances[affordance].name);
}

/** An action, by its index: as the level writes it. */
export function actionName(world, action) {
  return world.actions[action].name;
}

function within(name) {
  const told = words(name);
  return /^\p{Lu}\p{Lu}/u.test(told) ? told : told.charAt(0).toLowerCase() + told.slice(1);
}

/** How far a network had learned, in a few words. */
export function learned({ origin: { env_steps: steps } }) {
  return steps > 0 ? `after ${steps.toLocaleString("en")} steps of learning` : "before any learning";
}

/** A share of full as a person says it: 0.314 is "31%", 0.0053 is "0.53%", and what is nearly nothing is "0%". */
export function percent(share) {
  const number = share * 100;
  if (Math.abs(number) < 0.005) return "0%";
  return `${Number(number.toFixed(Math.abs(number) >= 10 ? 0 : Math.abs(number) >= 1 ? 1 : 2))}%`;
}

/** How full a meter is, in whole percents: "0%", "<1%", "31%". */
export function full(value) {
  if (value * 100 < 0.005) return "0%";
  return value < 0.01 ? "<1%" : `${Math.round(value * 100)}%`;
}

/** "1 tick", "37 ticks". */
export function ticks(count) {
  return `${count} tick${count === 1 ? "" : "s"}`;
}

/** "underfoot", "1 step away", "4 steps away". */
export function stepsAway(count) {
  if (count === 0) return "underfoot";
  return `${count} step${count === 1 ? "" : "s"} away`;
}

/** "a", "a and b", "a, b and c". */
export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** A number of a value or reward: four figures at most, "-0" never. */
export function figure(number) {
  const digits = Math.abs(number) >= 100 ? 1 : Math.abs(number) >= 10 ? 2 : 3;
  const text = number.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text;
}

/** The same with its sign, for what is added up. */
export function signed(number) {
  const text = figure(number);
  return Number(text) > 0 ? `+${text}` : text;
}

/** A sentence begins with a capital. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
