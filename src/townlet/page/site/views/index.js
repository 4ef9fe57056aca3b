// Which views the page has, and where. A view is {id, title, hint, make(root, app) -> {draw(moment)}}, and
// a moment {track, frame, app}.

import { population } from "townlet/views/population.js";
import { timeline } from "townlet/views/timeline.js";
import { town } from "townlet/views/town.js";

/** The town itself, and the timeline, which are always in sight. */
export const TOWN = town;
export const TIMELINE = timeline;

/** Beside the town, always in sight: how the agent is, and what it thinks. */
export const BESIDE = [];

/** One at a time, below those. */
export const TABS = [population];
