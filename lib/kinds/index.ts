// The ready-made kinds: a program, an agent loop, a monitor. Their libraries are optional peers, loaded on first use.

export { type MonitorDefinition, monitor, type Tick } from "./monitor.js";
export { command, type ProcessDefinition, type ProcessInput, type ProcessResult, process } from "./process.js";
export { type SubagentDefinition, type SubagentInput, subagent } from "./subagent.js";
