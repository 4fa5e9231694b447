// Start: a program becomes a running process, by execa.
//
// Owns how it is started: without a shell, with nothing to read, leading a process group of its own. execa is an optional peer, and loaded
// when the first one is started.

import type { Readable } from "node:stream";
import { type Peer, peerError, unfitError } from "../peer.js";
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

const EXECA: Peer = {
  name: "execa",
  versions: "9 or 10",
  use: "A process is started by",
  ...(Number.parseInt(process.versions.node, 10) < 22
    ? { install: "execa@9", hint: "execa 10 needs Node 22 or newer, execa 9 does not: npm install execa@9" }
    : { install: "execa" }),
};

/** Rejects with an error that says why execa cannot be used, and what to install. */
export async function loadStart(): Promise<(input: ProcessInput) => Started> {
  // Both written out here: a bundler takes the package along, and does not fail without it.
  const { execa } = await import("execa").catch((cause: unknown) => {
    throw peerError(EXECA, cause);
  });
  if (typeof execa !== "function") throw unfitError(EXECA, "function `execa`");
  return ({ command, args = [], cwd, env = {} }) => {
    const subprocess = execa(command, args, {
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

/** execa 10 returns a promise that holds the child process, execa 9 the child process itself. */
function childOf(subprocess: object): Pick<Started, "once"> | undefined {
  const child = "nodeChildProcess" in subprocess ? subprocess.nodeChildProcess : subprocess;
  return isChild(child) ? child : undefined;
}

function isChild(child: unknown): child is Pick<Started, "once"> {
  return typeof child === "object" && child !== null && "once" in child && typeof child.once === "function";
}
