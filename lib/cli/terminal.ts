// Terminal: the one way out, and what is known of who reads.
//
// Lines and JSON are made harmless on their way (line.ts, printable.ts). What was asked for goes to stdout, all else to stderr.

import { type Line, type Look, renderLine } from "./line.js";
import { jsonText, printableLines } from "./printable.js";

export interface Terminal extends Look {
  readonly now: () => number;
  readonly print: (lines: readonly Line[]) => void;
  /** One document. */
  readonly printJson: (value: unknown) => void;
  /** One line of JSON for each. */
  readonly printJsonLines: (values: readonly unknown[]) => void;
  /** Words of our own, as they are. */
  readonly printHelp: (text: string) => void;
  readonly complain: (text: string) => void;
  /** Aborts at the first Ctrl-C from now on; the next one ends the process. */
  readonly untilInterrupted: () => AbortSignal;
}

/** What is needed of a process. */
export interface Streams {
  readonly stdout: Out & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Pick<Out, "write">;
  readonly env: { readonly [name: string]: string | undefined };
}
interface Out {
  write(text: string): unknown;
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/** Ends the process, quietly, when nobody reads on, as in `errand ls DIR | head -1`. */
export function openTerminal({ stdout, stderr, env }: Streams, now: () => number = Date.now): Terminal {
  const look = lookOf(stdout, env);
  stdout.on("error", (error) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
  const write = (lines: readonly string[]): void => {
    if (lines.length > 0) stdout.write(`${lines.join("\n")}\n`);
  };
  return {
    ...look,
    now,
    print: (lines) => write(lines.map((line) => renderLine(line, look))),
    printJson: (value) => write([jsonText(value, 2)]),
    printJsonLines: (values) => write(values.map((value) => jsonText(value))),
    printHelp: (text) => write([text]),
    complain: (text) => void stderr.write(`${printableLines(text).join("\n")}\n`),
    untilInterrupted: () => {
      const interrupted = new AbortController();
      process.once("SIGINT", () => interrupted.abort());
      return interrupted.signal;
    },
  };
}

function lookOf({ isTTY, columns }: Streams["stdout"], { NO_COLOR = "" }: Streams["env"]): Look {
  // Some terminals claim to have no columns.
  return isTTY === true
    ? { columns: columns || 80, isColored: NO_COLOR === "" }
    : { columns: undefined, isColored: false };
}
