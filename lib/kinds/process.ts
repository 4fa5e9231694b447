// Process: a kind that runs a program (§10).
//
// Its output streams into the task's, its end is the task's result, and nothing that it started outlives the task. Owns the order of these;
// how a program is started, read and ended is told in lib/kinds/process/.

import type { TaskKind } from "../core/kinds/kind.js";
import { checkKnown, checkType } from "../core/values/checks.js";
import { Context, type TaskContext } from "../session/context.js";
import { defineKind, type KindDefinition } from "./define-kind.js";
import { type ProcessInput, processInput } from "./process/input.js";
import { readText, readToEnd, Tail } from "./process/output.js";
import { ProcessSession } from "./process/session.js";
import { loadStart } from "./process/start.js";

export type { ProcessInput } from "./process/input.js";

/** One of the two is `null`. */
export interface ProcessResult {
  readonly exitCode: number | null;
  /** What ended it from outside: `"SIGKILL"`. */
  readonly signal: string | null;
}

export interface ProcessDefinition
  extends Pick<
    KindDefinition<never, never, unknown, unknown, never>,
    "description" | "lane" | "timeoutMs" | "elapsedTimeoutMs" | "retry"
  > {
  /** Default `"process"`. Two that differ in lane or timeout need two names. */
  name?: string | undefined;
}

/**
 * A kind that runs a program without a shell, by `execa` 9 or 10 (an optional peer; version 10 needs Node 22). Where execa is missing or does not
 * load, the task fails with an error that says why and what to install.
 *
 * What it prints goes to `ctx.output("stdout" | "stderr")` as it comes; it has nothing to read. However it ended is the result, with
 * `check: true` only 0 is. A program that cannot be started fails the task, and so does an input that does not fit: `InvalidInputError`, from `spawn`.
 *
 * When the task is stopped (cancel, timeout, the end of its parent, `close`), the program and every process that it started get SIGTERM, and
 * SIGKILL when four fifths of the grace (the task's `graceMs`, or that of a `close`) have passed. The task ends when none of them is left. It
 * is `cancelled`, unless the program had ended before. What a program leaves running when it exits by itself is ended in the same way, and the
 * task waits for that; output that such a process has not written by then is lost.
 *
 * The processes of a program are those of its session, in whichever process group: jobs of a shell with job control and what `timeout` runs
 * belong to it. A process that makes a session of its own (a daemon, `setsid`) leaves the task: it keeps running, and its output is cut off.
 * - Linux: the session is read from `/proc`.
 * - macOS and other POSIX systems: the processes are found by `ps`, from parent to child. A process in another process group whose parent has
 *   already exited is not found.
 * - Windows: all are ended at once, without SIGTERM. A process that outlives the program that started it is not found.
 *
 * When this process exits, so do the programs; not when it is killed, by a signal that it does not handle: a Ctrl-C reaches this process
 * alone, and kill -9 leaves no time. Close the manager in a handler of SIGINT and SIGTERM. After a restart such a task is `interrupted`.
 */
export function command(definition: ProcessDefinition = {}): TaskKind<ProcessInput, ProcessResult> {
  checkType("definition", definition, "object");
  checkKnown("command", definition, DEFINITION);
  const { name = "process", description = DESCRIPTION, ...more } = definition;
  return defineKind({ ...more, name, description, input: processInput, run });
}

/**
 * The same function as `command`, under its old name.
 *
 * @deprecated Use `command`: an import of `process` hides Node's global of that name in the whole file.
 */
export const process: typeof command = command;

const DEFINITION: ReadonlySet<string> = new Set<keyof ProcessDefinition>([
  ...(["name", "description", "lane", "timeoutMs", "elapsedTimeoutMs", "retry"] as const),
]);
const DESCRIPTION =
  "Runs a program, without a shell. Its output can be read while it runs; its exit code is the result.";

async function run(ctx: TaskContext, input: ProcessInput): Promise<ProcessResult> {
  const start = await loadStart();
  if (ctx.isCancelled) throw ctx.signal.reason;
  const started = start(input);
  const { pid, stdout, stderr, closed } = started;
  if (pid === undefined) {
    const hint = /\s/.test(input.command) ? ": command is the program alone, and its arguments are args" : "";
    throw new Error(`${input.command} could not be started: ${await closed}${hint}`);
  }
  const core = Context.coreOf(ctx);
  const session = new ProcessSession(pid, core.loop.clock, () => KILL_AT * core.graceOf(ctx.id));
  let ended: ProcessResult | undefined;
  let isStopped = false;
  const stop = () => {
    isStopped = ended === undefined;
    session.end();
  };
  ctx.signal.addEventListener("abort", stop, { once: true });
  const errors = new Tail();
  readText(stdout, (text) => ctx.output("stdout", text));
  readText(stderr, (text) => {
    errors.write(text);
    ctx.output("stderr", text);
  });
  const result = await new Promise<ProcessResult>((resolve) => {
    started.once("exit", (exitCode, signal) => {
      ended = { exitCode, signal };
      resolve(ended);
    });
  });
  await session.ended();
  ctx.signal.removeEventListener("abort", stop);
  await readToEnd([stdout, stderr], closed);
  // What it complained of, for whoever is told of its end and no more.
  ctx.summary(result.exitCode === 0 ? inWords(result) : `${inWords(result)}\n${errors.lines}`.trimEnd());
  // C1: a return is a success, and this was none.
  if (isStopped) throw ctx.signal.reason;
  if (input.check === true && result.exitCode !== 0)
    throw new Error(`${input.command} ended with ${inWords(result)}\n${errors.lines}`.trimEnd());
  return result;
}

/** The part of the grace after which those that did not end are killed: their task is to end before it is given up (C2). */
const KILL_AT = 0.8;

function inWords({ exitCode, signal }: ProcessResult): string {
  return exitCode === null ? `${signal}` : `exit ${exitCode}`;
}
