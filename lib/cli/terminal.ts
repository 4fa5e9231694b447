// Terminal: the only output of the command, with the display settings of its reader.
//
// Lines and JSON are escaped on their way (line.ts, printable.ts). Results go to stdout, complaints to stderr.

import { type Display, type Line, renderLine } from "./line.js";
import { jsonText, printableLines } from "./printable.js";

/** The output of a command, and the clock. */
export interface Terminal extends Display {
  /** The present, in epoch milliseconds. */
  readonly now: () => number;
  /** Prints lines to stdout; prints nothing for an empty list. */
  readonly print: (lines: readonly Line[]) => void;
  /** Prints one JSON document to stdout. */
  readonly printJson: (value: unknown) => void;
  /** Prints one line of JSON for each value. */
  readonly printJsonLines: (values: readonly unknown[]) => void;
  /** Prints a text of the command itself, unescaped. */
  readonly printHelp: (text: string) => void;
  /** Prints an escaped text to stderr. */
  readonly complain: (text: string) => void;
  /** Returns a signal that aborts at the next Ctrl-C; the Ctrl-C after that one ends the process. */
  readonly untilInterrupted: () => AbortSignal;
}

/** The part of `process` that a terminal needs. */
export interface Streams {
  /** Receives the results; `isTTY` decides on the width and the colours. */
  readonly stdout: Out & { readonly isTTY?: boolean; readonly columns?: number };
  /** Receives the complaints. */
  readonly stderr: Out;
  /** The environment; `NO_COLOR`, and a `TERM` that is `dumb`, disable colours. */
  readonly env: { readonly [name: string]: string | undefined };
}
interface Out {
  write(text: string): unknown;
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/**
 * Opens the terminal of a process. When the reader of stdout has gone, as in `errand ls DIR | head -1`, the process
 * exits with code 0. When stdout cannot be written for another reason, such as a full disk, the process says so and
 * exits with code 1. A stderr that cannot be written changes nothing.
 */
export function openTerminal({ stdout, stderr, env }: Streams, now: () => number = Date.now): Terminal {
  const display = displayOf(stdout, env);
  const complain = (text: string): void => void stderr.write(`${printableLines(text).join("\n")}\n`);
  stdout.on("error", (error) => {
    if (error.code === "EPIPE") process.exit(0);
    complain(`The output could not be written: ${error.message}`);
    process.exit(1);
  });
  stderr.on("error", () => {});
  const write = (lines: readonly string[]): void => {
    if (lines.length > 0) stdout.write(`${lines.join("\n")}\n`);
  };
  return {
    ...display,
    now,
    print: (lines) => write(lines.map((line) => renderLine(line, display))),
    printJson: (value) => write([jsonText(value, 2)]),
    printJsonLines: (values) => write(values.map((value) => jsonText(value))),
    printHelp: (text) => write([text]),
    complain,
    untilInterrupted: () => {
      const interrupted = new AbortController();
      process.once("SIGINT", () => interrupted.abort());
      return interrupted.signal;
    },
  };
}

function displayOf({ isTTY, columns }: Streams["stdout"], { NO_COLOR = "", TERM }: Streams["env"]): Display {
  // Some terminals report 0 columns.
  return isTTY === true
    ? { columns: columns || 80, isColored: NO_COLOR === "" && TERM !== "dumb" }
    : { columns: undefined, isColored: false };
}
