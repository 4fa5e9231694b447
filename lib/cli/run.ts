// Run: selects the command, runs it, and turns every error into a message that says what to do next.

import { createRequire } from "node:module";
import { isErrandError } from "errand";
import { readArguments } from "./arguments.js";
import { type Command, CommandError, type ExitCode } from "./command.js";
import { ls } from "./ls.js";
import { show } from "./show.js";
import { tail } from "./tail.js";
import type { Terminal } from "./terminal.js";
import { verify } from "./verify.js";

const COMMANDS: readonly Command[] = [ls, show, tail, verify];

const HELP = `errand looks into the journal that a program keeps with fileStore(DIR), while
the program runs or after it ended. It takes no lock and changes nothing.

  errand ls DIR        the tasks as trees, with their status; the open questions
  errand show DIR ID   one task: its record, messages, questions, last events
  errand tail DIR      the last events; --follow goes on with those that come
  errand verify DIR    whether the journal is whole, and where not

  errand COMMAND --help   what else a command takes; each takes --json
  errand --version        the version of errand

Exit code: 0 fine, 1 what was asked for is not so (no such task, a broken
journal), 2 the command line is wrong.`;

/**
 * Runs one command line, without the name of the executable. Resolves with the exit code and never rejects: an error is
 * printed to stderr.
 */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    const { text, exitCode } = explained(error);
    terminal.complain(text);
    return exitCode;
  }
}

async function dispatch([name = "", ...args]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (name === "--help" || name === "-h") {
    terminal.printHelp(HELP);
    return 0;
  }
  if (name === "--version") {
    terminal.printHelp(version());
    return 0;
  }
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) throw new CommandError(2, noCommand(name));
  const parsed = readArguments(command, args);
  if (parsed !== "help") return command.run(parsed, terminal);
  terminal.printHelp(command.help);
  return 0;
}

function noCommand(name: string): string {
  const what = name === "" ? "A command is missing." : `There is no command ${name}.`;
  return `${what} The way is: errand ls|show|tail|verify DIR; see errand --help`;
}

function version(): string {
  const manifest: unknown = createRequire(import.meta.url)("errand/package.json");
  const hasVersion = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return hasVersion ? String(manifest.version) : "unknown";
}

function explained(error: unknown): { readonly text: string; readonly exitCode: ExitCode } {
  if (error instanceof CommandError) return { text: error.message, exitCode: error.exitCode };
  if (isErrandError(error, "JOURNAL_CORRUPT")) {
    return { text: `${error.message}\nerrand verify says how much of it is whole, and what to do.`, exitCode: 1 };
  }
  if (isErrandError(error, "STORE_UNAVAILABLE")) {
    return { text: `${error.message}\nDIR is the directory that the program gives to fileStore.`, exitCode: 1 };
  }
  return { text: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: 1 };
}
