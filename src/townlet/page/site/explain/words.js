// How numbers are said: short, and the same everywhere.

/** A share of full as a person says it: 0.314 is "31%", 0.0053 is "0.53%", and what is nearly nothing is "0%". */
export function percent(share) {
  const number = share * 100;
  if (Math.abs(number) < 0.005) return "0%";
  return `${Math.abs(number) >= 10 ? Math.round(number) : Number(number.toPrecision(2))}%`;
}

/** "1 tick", "37 ticks". */
export function ticks(count) {
  return `${count} tick${count === 1 ? "" : "s"}`;
}

/** "1 step away", "4 steps away". */
export function stepsAway(count) {
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

/** A sentence begins with a capital; names stay as the level writes them otherwise. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
