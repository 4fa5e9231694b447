// Kinds that come ready-made. Their libraries are optional peers, loaded when they are first needed.

export { type MonitorDefinition, monitor, type Tick } from "./monitor.js";
export { command, type ProcessDefinition, type ProcessInput, type ProcessResult, process } from "./process.js";
export { type SubagentDefinition, type SubagentInput, subagent } from "./subagent.js";
