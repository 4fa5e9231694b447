// Process: a kind that runs a program (§10).
//
// Owns the order of start, output and end of a program: its output streams into the output of the task, its exit is the
// result, and no process that it started outlives the task. The folder lib/kinds/process/ starts, reads and ends
// programs.

import type { TaskKind } from "../core/kinds/kind.js";
import { checkKnown, checkType } from "../core/values/checks.js";
import type { TaskContext } from "../session/session.js";
import { defineKind, type KindDefinition } from "./define-kind.js";
import { type ProcessInput, processInput } from "./process/input.js";
import { readText, readToEnd, Tail } from "./process/output.js";
import { ProcessSession } from "./process/session.js";
import { loadStart } from "./process/start.js";

export type { ProcessInput } from "./process/input.js";

/** How a program ended. One of the two fields is `null`. */
export interface ProcessResult {
  /** The exit code; `null` when a signal ended the program. */
  readonly exitCode: number | null;
  /** The signal that ended the program, such as `"SIGKILL"`; `null` when it exited. */
  readonly signal: string | null;
}

/** The options of `command`. Each is optional, and sets a default of the spawns of the kind. */
export interface ProcessDefinition
  extends Pick<
    KindDefinition<never, never, unknown, unknown, never>,
    "description" | "lane" | "timeoutMs" | "elapsedTimeoutMs" | "retry"
  > {
  /** Default `"process"`. Two kinds that differ in lane or timeout need two names. */
  name?: string | undefined;
}

/**
 * A kind that runs a program without a shell, by `execa` 9 or 10 (an optional peer; version 10 needs Node 22). When
 * execa is not installed or does not load, the task fails with an error that says why and what to install.
 *
 * The output of the program goes to `ctx.output("stdout" | "stderr")` as it arrives; its standard input is empty. The
 * exit code or the signal is the result; with `check: true` every other end than exit code 0 fails the task. A program
 * that cannot be started fails the task. An input that does not fit is an `InvalidInputError` of `spawn`.
 *
 * When the task is stopped (cancel, timeout, the end of its parent, `close`), the program and every process that it
 * started get SIGTERM, and SIGKILL after four fifths of the grace (the `graceMs` of the task, or of the `close`). The
 * task ends when none of these processes is left. Its status is `cancelled`, unless the program had exited before the
 * stop. Processes that a program leaves running at its own exit are ended in the same way, and the task waits for them;
 * output that such a process has not written by then is lost.
 *
 * The processes of a program are the processes of its session, in any process group: jobs of a shell with job control
 * and programs run by `timeout` belong to it. A process that creates a new session (a daemon, `setsid`) leaves
 * the task: it keeps running, and its output is cut off.
 * - Linux: the session is read from `/proc`.
 * - macOS and other POSIX systems: the processes are found by `ps`, from parent to child. A process in another process
 *   group whose parent has already exited is not found.
 * - Windows: all processes are ended at once, without SIGTERM. A process that outlives the program that started it is
 *   not found.
 *
 * When this process exits, its programs are killed. They are not when a signal without a handler ends this process:
 * Ctrl-C then reaches this process alone, and kill -9 leaves no time. Close the manager in a handler of SIGINT and
 * SIGTERM. After a restart such a task is `interrupted`.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { command } from "errand/kinds";
 *
 * const manager = new TaskManager();
 * const task = manager.spawn(command(), { input: { command: "node", args: ["-p", "6 * 7"], check: true } });
 * console.log((await task.result()).exitCode); // 0
 * console.log(task.output().text.trim()); // 42
 * ```
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
  const session = new ProcessSession(pid, ctx.clock, () => KILL_AT * ctx.graceMs);
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
  // The owner of the task sees only its end, so the summary has the last error lines.
  ctx.summary(result.exitCode === 0 ? describeEnd(result) : `${describeEnd(result)}\n${errors.lines}`.trimEnd());
  // A returned value would be a success, and a stopped program has none (C1).
  if (isStopped) throw ctx.signal.reason;
  if (input.check === true && result.exitCode !== 0)
    throw new Error(`${input.command} ended with ${describeEnd(result)}\n${errors.lines}`.trimEnd());
  return result;
}

/**
 * The fraction of the grace after which remaining processes are killed, so that the task ends before it is abandoned
 * (C2).
 */
const KILL_AT = 0.8;

function describeEnd({ exitCode, signal }: ProcessResult): string {
  return exitCode === null ? `${signal}` : `exit ${exitCode}`;
}
