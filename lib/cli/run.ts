// Run: selects the command, runs it, and turns every error into a message that says what to do next.

import { isErrandError } from "errand";
import { aboutText } from "./about.js";
import { readArguments } from "./arguments.js";
import { type Command, CommandError, type ExitCode } from "./command.js";
import { ls } from "./ls.js";
import { show } from "./show.js";
import { tail } from "./tail.js";
import { openTerminal, type Terminal } from "./terminal.js";
import { verify } from "./verify.js";

const COMMANDS: readonly Command[] = [ls, show, tail, verify];

/** Runs one command line in the terminal of this process. */
export function runInProcess(args: readonly string[]): Promise<ExitCode> {
  return run(args, openTerminal(process));
}

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
  const about = aboutText(name);
  if (about !== undefined) {
    terminal.printHelp(about);
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
