// Start: starts a program by execa.
//
// Owns how it is started: without a shell, with empty standard input, as the leader of its own process group. execa is
// an optional peer, loaded with the first program.

import type { Readable } from "node:stream";
import { type Peer, peerError, unfitError } from "../peer.js";
import type { ProcessInput } from "./input.js";

/** A started program. A program that could not be started has no `pid`. */
export interface StartedProgram {
  /** The process id; `undefined` when the program could not be started. */
  readonly pid?: number | undefined;
  /** The standard output of the program. */
  readonly stdout: Readable;
  /** The standard error of the program. */
  readonly stderr: Readable;
  /** Calls `listener` when the program has exited. */
  readonly once: (event: "exit", listener: (exitCode: number | null, signal: string | null) => void) => unknown;
  /**
   * Resolves when the program has exited and its output was read or cut off. When it could not be started, resolves
   * with the reason.
   */
  readonly closed: Promise<string | undefined>;
}

const EXECA: Peer = {
  name: "execa",
  versions: "9 or 10",
  use: "A process is started by",
  ...(Number.parseInt(process.versions.node, 10) < 22
    ? { install: "execa@9", hint: "execa 10 needs Node 22 or newer, execa 9 does not: npm install execa@9" }
    : { install: "execa" }),
};

/**
 * Loads execa and resolves with a function that starts programs. Rejects with an error that says why execa cannot be
 * used, and what to install.
 */
export async function loadStart(): Promise<(input: ProcessInput) => StartedProgram> {
  // The import and its name are written here literally: a bundler then includes the package, and does not fail without
  // it.
  const { execa } = await import("execa").catch((cause: unknown) => {
    throw peerError(EXECA, cause);
  });
  if (typeof execa !== "function") throw unfitError(EXECA, "function `execa`");
  return ({ command, args = [], cwd, env = {} }) => {
    const subprocess = execa(command, args, {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      stdin: "ignore",
      // The output is read as it arrives, so execa keeps none of it.
      buffer: false,
      // The end of a program is a result, not an exception.
      reject: false,
      // On POSIX the program leads a new session and process group. On Windows this option would open a
      // console window.
      detached: process.platform !== "win32",
    });
    const child = childOf(subprocess);
    if (child === undefined) {
      subprocess.kill("SIGKILL");
      throw unfitError(EXECA, "child process with `once`");
    }
    const closed = subprocess.then((result) => ("originalMessage" in result ? result.originalMessage : undefined));
    const { pid, stdout, stderr } = subprocess;
    return { pid, stdout, stderr, once: (event, listener) => child.once(event, listener), closed };
  };
}

/** execa 10 returns a promise that has the child process as a property; execa 9 returns the child process itself. */
function childOf(subprocess: object): Pick<StartedProgram, "once"> | undefined {
  const child = "nodeChildProcess" in subprocess ? subprocess.nodeChildProcess : subprocess;
  return isChild(child) ? child : undefined;
}

function isChild(child: unknown): child is Pick<StartedProgram, "once"> {
  return typeof child === "object" && child !== null && "once" in child && typeof child.once === "function";
}
