// Which views the page has, and where. A view is {id, title, hint, make(root, app) -> {draw(moment)}}, and
// a moment {track, frame, app}.

import { ending } from "townlet/views/ending.js";
import { game } from "townlet/views/game.js";
import { lens } from "townlet/views/lens.js";
import { memory } from "townlet/views/memory.js";
import { meters } from "townlet/views/meters.js";
import { population } from "townlet/views/population.js";
import { reward } from "townlet/views/reward.js";
import { story } from "townlet/views/story.js";
import { timeline } from "townlet/views/timeline.js";
import { town } from "townlet/views/town.js";
import { visits } from "townlet/views/visits.js";
import { whatif } from "townlet/views/whatif.js";

/** The town itself, and the timeline, which are always in sight. */
export const TOWN = town;
export const TIMELINE = timeline;

/** Beside the town instead of all but the meters, while a person plays. */
export const GAME = game;

/** Beside the town, always in sight: how the agent is, and what it thinks. */
export const BESIDE = [story, meters, lens];

/** One at a time, below those. */
export const TABS = [memory, ending, reward, visits, population, whatif];
