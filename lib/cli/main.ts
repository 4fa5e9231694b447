#!/usr/bin/env node
// The executable `errand`: prints a text about itself, or runs a command and sets the exit code. Only a command loads
// errand.

import { aboutText } from "./about.js";

const args = process.argv.slice(2);
const about = aboutText(args[0] ?? "");
if (about === undefined) {
  const { runInProcess } = await import("./run.js");
  process.exitCode = await runInProcess(args);
} else {
  // Not `process.stdout.write`: a reader that has gone is no error here.
  console.log(about);
}
