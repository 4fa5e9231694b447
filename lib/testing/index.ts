// errand/testing: what a test of a program that uses errand needs: time by hand, and ids it can name.

export { countedIds } from "./counted-ids.js";
export { type ManualClock, manualClock } from "./manual-clock.js";
