#!/usr/bin/env node
// The command `errand`: gives the words of the command line and this process's terminal to `run`, and its exit code to the shell.

import { run } from "./run.js";
import { openTerminal } from "./terminal.js";

process.exitCode = await run(process.argv.slice(2), openTerminal(process));
