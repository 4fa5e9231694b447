// errand/testing: the parts that tests of a program with errand need: a clock that the test moves, predictable ids,
// scripted answers, simulations in virtual time, a store in memory, and the laws of a store.

export { memoryStore } from "../stores/memory.js";
export { countedIds } from "./counted-ids.js";
export { type ManualClock, manualClock } from "./manual-clock.js";
export { type Script, type ScriptedAnswer, scriptAnswers } from "./scripted-answers.js";
export { type SimulateOptions, simulate, type World } from "./simulate.js";
export { type StoreLaw, type StoreUnderTest, storeContract } from "./store-contract.js";
