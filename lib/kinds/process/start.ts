// Start: a program becomes a running process, by execa.
//
// Owns how it is started: without a shell, with nothing to read, leading a process group of its own. execa is an optional peer, and loaded
// when the first one is started.

import type { Readable } from "node:stream";
import type { ProcessInput } from "./input.js";

/** What was started, or could not be: then it has no `pid`. */
export interface Started {
  readonly pid?: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly once: (event: "exit", listener: (exitCode: number | null, signal: string | null) => void) => unknown;
  /** Resolves when it has exited and its output has been read or cut off; with why it could not be started, when it could not. */
  readonly closed: Promise<string | undefined>;
}

/** Rejects with an error that says what to install. */
export async function loadStart(): Promise<(input: ProcessInput) => Started> {
  const { execa } = await import("execa").catch((cause: unknown) => {
    throw new Error("A process is started by the package execa, which could not be loaded: npm install execa", {
      cause,
    });
  });
  return ({ command, args = [], cwd, env = {} }) => {
    const child = execa(command, args, {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdin: "ignore",
      // Read as it comes and kept nowhere.
      buffer: false,
      // How it ended is a result, and no exception.
      reject: false,
      // POSIX: it leads a session and a process group of its own. On Windows this would open a console window.
      detached: process.platform !== "win32",
    });
    const closed = child.then((result) => ("originalMessage" in result ? result.originalMessage : undefined));
    return { pid: child.pid, stdout: child.stdout, stderr: child.stderr, once: (...of) => child.once(...of), closed };
  };
}
