// Two lives from the same start, compared in words: who lived longer, and what became of each.

import { howItEnded } from "townlet/explain/death.js";
import { meterName } from "townlet/explain/words.js";

const CAUSES = 3; // sentences of how a death came

/** What became of a life that a person played beside that of an agent: sentences. */
export function verdict(you, ghost) {
  const [mine, its] = [you.life.length, ghost.life.length];
  const first = `You ${became(you)}. The agent ${became(ghost)}. ${longer(mine, its, ghost.life.ended === "cut")}`;
  const why = you.life.ended === "death" ? howItEnded(you).slice(1, 1 + CAUSES).map(({ text }) => text) : [];
  return [first, ...why]; // what is said of a death speaks of the agent, which you were
}

function longer(mine, its, cut) {
  if (cut && mine >= its) return "Its recording stops there, so who lives longer is open.";
  if (mine === its) return "Neither lived longer.";
  return mine > its ? `You lived longer, by ${steps(mine - its)}.` : `It lived longer, by ${steps(its - mine)}.`;
}

/** How far a life went against the one that it left, in a sentence. */
export function against(life, parent) {
  return `This life ${became(life)}${life.growing ? " so far" : ""}; the one that it left ${became(parent)}.`;
}

function became({ life, header }) {
  const long = steps(life.length);
  if (life.ended === "death") return `lived ${long} and died: ${meterName(header.world, life.cause)} was empty`;
  return life.ended === "limit" ? `lived to the limit of ${long}` : `lived ${long}`;
}

function steps(count) {
  return `${count} ${count === 1 ? "step" : "steps"}`;
}
