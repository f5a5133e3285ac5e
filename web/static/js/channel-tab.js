/** A channel's pages beside the one where people watch. */

import { wireFollow } from "./follow.js";

wireFollow();
