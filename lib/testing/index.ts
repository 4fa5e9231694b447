// errand/testing: what a test of a program that uses errand needs: time by hand, ids it can name, and people who answer.

export { memoryStore } from "../stores/memory.js";
export { countedIds } from "./counted-ids.js";
export { type ManualClock, manualClock } from "./manual-clock.js";
export { type Script, type ScriptedAnswer, scriptAnswers } from "./scripted-answers.js";
export { type SimulateOptions, simulate, type World } from "./simulate.js";
export { type StoreLaw, type StoreUnderTest, storeContract } from "./store-contract.js";
