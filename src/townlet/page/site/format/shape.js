// What a header must be for the page to show it, as configs/replay.schema.json has it: so what is missing is told once,
// where a file is read, and no view has to ask.

/** A part that may be missing: then it is `otherwise`. */
class Maybe {
  constructor(shape, otherwise = null) {
    Object.assign(this, { shape, otherwise });
  }

  toJSON() {
    return { maybe: this.shape, otherwise: this.otherwise };
  }
}

const maybe = (shape, otherwise) => new Maybe(shape, otherwise);
const PAIR = ["whole", "whole"], PER_METER = ["number"], ENDED = { ended: "text", cause: maybe("whole") };

const WORLD = {
  width: "whole", height: "whole", max_steps: "whole", day_ticks: maybe("whole"), empty: "number",
  meters: [{ name: "text", initial: "number", passive: "number", move: "number", lethal: "flag" }],
  drains: [{ meter: "whole", by: maybe("whole"), rate: "number", at_full: "number", at_empty: "number" }],
  threshold: "number",
  cascades: [{ pulls: [{ source: "whole", target: "whole", strength: "number" }] }],
  affordances: [{
    name: "text", ticks: "whole", hours: maybe(PAIR), cost: PER_METER, effect: PER_METER, bonus: PER_METER,
    whole_cost: PER_METER, whole_effect: PER_METER,
  }],
  actions: [{ name: "text", dx: "whole", dy: "whole", interacts: "flag" }],
  reward: {
    alive: "number", death: "number", milestones: [{ every: "whole", value: "number" }], wellbeing: { "*": "number" },
    interaction: { "*": "number" }, potential: maybe({ scale: "number", meters: { "*": { weight: "number", full: maybe("number", 1) } } }),
    gamma: "number",
  },
  terms: ["text"], window: maybe("whole"), observation: [{ name: "text", start: "whole", width: "whole" }],
};

/** A shape: the kind of a value, a list of one shape, a list of several for so many items, or keys; "*" is any key. */
export const SHAPE = {
  format: "text",
  origin: {
    run: maybe("text"), run_id: maybe("text"), checkpoint: maybe("text"), learned: maybe("text"),
    env_steps: maybe("whole", 0), seed: "whole", level_seed: "whole", maps: maybe("text", "evaluation"),
    versions: { "*": "text" },
  },
  level: { id: "text", name: "text", description: "text", yaml: "text", yardsticks: { "*": "number" } },
  world: WORLD,
  network: { kind: "text" },
  memory: [{ name: "text", units: "whole" }],
  steps: "whole",
  lives: [{ agent: "whole", map: "whole", places: [maybe(PAIR)], length: "whole", ...ENDED, total_reward: "number" }],
  planner: maybe([{ length: "whole", ...ENDED }]),
  columns: [{
    name: "text", type: "text", shape: ["whole", "whole", "whole"], every: maybe("whole", 1), offset: "whole",
    low: maybe(["number"]), scale: maybe(["number"]),
  }],
  weights: maybe([{ name: "text", shape: ["whole"], offset: "whole" }]),
};

const KINDS = {
  text: ["a text", (value) => typeof value === "string"],
  number: ["a number", Number.isFinite],
  whole: ["a whole number", Number.isSafeInteger],
  flag: ["true or false", (value) => typeof value === "boolean"],
};

/** What of a header is not as it should be, a part of a sentence; null for nothing. What may be missing is filled in. */
export function misshapen(value, shape = SHAPE, path = "") {
  if (shape instanceof Maybe) return (value ?? null) === null ? null : misshapen(value, shape.shape, path);
  if (typeof shape === "string") {
    const [told, holds] = KINDS[shape];
    return holds(value) ? null : `${path} should be ${told}`;
  }
  if (Array.isArray(shape)) {
    const fits = Array.isArray(value) && (shape.length === 1 || value.length === shape.length);
    if (!fits) return `${path} should be a list${shape.length === 1 ? "" : ` of ${shape.length}`}`;
    return first(value.keys(), (index) => misshapen(value[index], shape[index] ?? shape[0], `${path}[${index}]`));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `${path || "it"} should have keys`;
  return first("*" in shape ? Object.keys(value) : Object.keys(shape), (key) => {
    const part = "*" in shape ? shape["*"] : shape[key], found = value[key];
    if (part instanceof Maybe && (found ?? null) === null) value[key] = part.otherwise;
    return misshapen(found, part, `${path}${path && "."}${key.slice(0, 40)}`);
  });
}

/** What the first of items gives that gives something, else null. */
function first(items, find) {
  for (const item of items) {
    const found = find(item);
    if (found !== null) return found;
  }
  return null;
}
