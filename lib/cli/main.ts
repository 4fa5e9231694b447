#!/usr/bin/env node
// The executable `errand`: calls `run` with the arguments and the terminal of this process, and sets the exit code.

import { run } from "./run.js";
import { openTerminal } from "./terminal.js";

process.exitCode = await run(process.argv.slice(2), openTerminal(process));
