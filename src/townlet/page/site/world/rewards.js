// The reward of a tick, term by term: environment/rewards.py for one agent, rounded as there.

import { share } from "townlet/world/rules.js";
import { UnknownError } from "townlet/world/tables.js";

const { fround } = Math;

/**
 * What each term pays for a tick, as functions of it in the order of `names`. Throws UnknownError for a term or a
 * meter that is not known.
 */
export function makeTerms(names, reward, tables) {
  return names.map((name) => {
    if (!Object.hasOwn(TERMS, name)) throw new UnknownError(`This page does not know the reward's term ${name}.`);
    return TERMS[name](reward, tables);
  });
}

// By the keys of a header's `reward`. A term that is several numbers adds them up in the order of their names, as
// Python does: no order of writing changes a sum's last bit.
const TERMS = {
  alive: ({ alive }) => (tick) => (tick.died ? 0 : fround(alive)),
  death: ({ death }) => (tick) => (tick.died ? fround(death) : 0),
  milestones: ({ milestones }) => (tick) =>
    sum(milestones, ({ every, value }) => (!tick.died && tick.state.tick % every === 0 ? fround(value) : 0)),
  wellbeing: ({ wellbeing }, tables) => {
    const weighed = byName(wellbeing, tables);
    return (tick) => (tick.died ? 0 : sum(weighed, ([meter, weight]) => fround(weight) * tick.state.meters[meter]));
  },
  interaction: ({ interaction }, tables) => {
    const weighed = byName(interaction, tables);
    const gained = (tick, meter) => fround(share(tick.after[meter]) - share(tick.before[meter]));
    return (tick) => sum(weighed, ([meter, weight]) => fround(weight) * gained(tick, meter));
  },
  potential: ({ potential, gamma }, tables) => {
    const weighed = byName(potential.meters, tables);
    const total = fround(weighed.reduce((all, [, { weight }]) => all + weight, 0));
    return (tick) => {
      const reached = tick.died ? 0 : phi(weighed, total, tick.state.meters);
      const shaping = fround(fround(fround(gamma) * reached) - phi(weighed, total, tick.found));
      return fround(fround(potential.scale) * shaping);
    };
  },
};

/** phi = sum w (1 - (1 - m)^2) / sum w: concave, so the emptiest meter is worth most to fill. */
function phi(weighed, total, meters) {
  const filled = sum(weighed, ([meter, { weight, full }]) => {
    const share = full === 1 ? meters[meter] : Math.min(fround(meters[meter] / fround(full)), 1);
    const missing = fround(1 - share);
    return fround(weight) * fround(1 - fround(missing * missing));
  });
  return fround(filled / total);
}

/** The sum of what `term` makes of each row, every product and every sum rounded. */
function sum(rows, term) {
  return rows.reduce((total, row) => fround(total + fround(term(row))), 0);
}

/** The entries of a mapping from meters' names, as [meter, value] in the order of the names. */
function byName(mapping, { names }) {
  return Object.keys(mapping).sort().map((name) => {
    const meter = names.indexOf(name);
    if (meter < 0) throw new UnknownError(`This page finds no meter ${name}, which the reward names.`);
    return [meter, mapping[name]];
  });
}
