// The end of a program (§10, C1, C2, H1, H2): nothing that it started outlives its task.

import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TaskHandle, TaskManager } from "errand";
import { command } from "errand/kinds";
import { afterEach, describe, expect, test } from "vitest";
import { deferred, peek, unhandled } from "../../support/basics.js";
import { world } from "../../support/program.js";
import { DEAF, IDLE, isAlive, isCollected, leaves, pidsOf, script, startsAll, until } from "../../support/programs.js";

const program = command();
const tree = script(`${IDLE} ${startsAll(IDLE, IDLE + startsAll(IDLE))}`);
const deafTree = script(`${IDLE} ${startsAll(DEAF)}`);

/** A grace in milliseconds that no slow machine uses up: only SIGTERM ends a program that hears it. */
const PATIENT = 600_000;

const started = new Set<number>();
afterEach(() => {
  for (const pid of started) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  started.clear();
});

/** Resolves with the ids of the processes as soon as they have printed them. */
async function pids(handle: TaskHandle, count: number): Promise<number[]> {
  const found = await pidsOf(handle, count);
  for (const pid of found) started.add(pid);
  return found;
}

/** The id of the process that has printed it with this word. */
const pidOf = (handle: TaskHandle, word: string) =>
  Number(new RegExp(`^${word} (\\d+)$`, "m").exec(handle.output().text)?.[1]);

const living = (ids: readonly number[]) => ids.filter(isAlive);

describe("C2 a cancelled program", () => {
  test("ends with everything that it started, and its task ends after them", async () => {
    const manager = new TaskManager({ graceMs: PATIENT });
    const handle = manager.spawn(program, { input: tree });
    const ids = await pids(handle, 4);
    expect(living(ids)).toEqual(ids);
    const outcome = await handle.cancel("enough");
    expect(living(ids)).toEqual([]);
    expect(outcome).toMatchObject({ status: "cancelled", reason: "enough" });
    expect(handle.record.summary).toBe("SIGTERM");
  });

  test("that hears no SIGTERM is killed when four fifths of the grace have passed", async () => {
    const { manager, clock, pass } = world({ graceMs: 10_000 });
    const handle = manager.spawn(program, { input: script(DEAF) });
    const [pid = 0] = await pids(handle, 1);
    const ended = handle.cancel();
    await pass(7_999);
    expect([isAlive(pid), handle.status]).toEqual([true, "running"]);
    await pass(1);
    expect((await ended).status).toBe("cancelled");
    expect([isAlive(pid), clock.now(), manager.stats().abandoned]).toEqual([false, 8_000, 0]);
  });

  test("that is gone is sent nothing any more: its number may be another's by then", async () => {
    const { manager, clock } = world();
    const handle = manager.spawn(program, { input: tree });
    await pids(handle, 4);
    await handle.cancel();
    // The only timer left is the one of retention, in thirty days.
    expect(clock.nextAt).toBeGreaterThan(86_400_000);
  });

  test("has one below it killed that hears no SIGTERM, though it has ended itself", async () => {
    const { manager, pass } = world({ graceMs: 10_000 });
    const handle = manager.spawn(program, { input: deafTree, graceMs: 1_000 });
    await pids(handle, 2);
    const [idle, deaf] = [pidOf(handle, "idle"), pidOf(handle, "deaf")];
    const ended = handle.cancel();
    await until(() => !isAlive(idle));
    await pass(799);
    expect([isAlive(deaf), (await peek(ended)).is]).toEqual([true, "pending"]);
    await pass(1);
    expect((await ended).status).toBe("cancelled");
    expect(isAlive(deaf)).toBe(false);
  });

  test("with no grace is killed at once", async () => {
    const manager = new TaskManager({ graceMs: PATIENT });
    const handle = manager.spawn(program, { input: script(DEAF), graceMs: 0 });
    const [pid = 0] = await pids(handle, 1);
    expect((await handle.cancel()).status).toBe("cancelled");
    await until(() => !isAlive(pid) && manager.stats().abandoned === 0);
  });

  test("may end as it likes within the grace: it is cancelled, whatever its code", async () => {
    const manager = new TaskManager({ graceMs: PATIENT });
    const bye = `process.on("SIGTERM", () => setTimeout(() => { console.log("bye"); process.exit(0); }, 20));`;
    const handle = manager.spawn(program, { input: script(bye + IDLE) });
    await pids(handle, 1);
    expect((await handle.cancel()).status).toBe("cancelled");
    expect([handle.output().text, handle.record.summary]).toEqual([expect.stringMatching(/bye\n$/), "exit 0"]);
  });

  test("C1 that had exited before is a success, though what it left behind is still being ended", async () => {
    const { manager, pass } = world({ graceMs: 1_000 });
    const handle = manager.spawn(program, { input: leaves(DEAF, "process.exit(5)") });
    const [leader = 0, deaf = 0] = await pids(handle, 2);
    await until(() => isCollected(leader));
    const ended = handle.cancel();
    await pass(800);
    expect(await ended).toMatchObject({ status: "succeeded", value: { exitCode: 5, signal: null } });
    expect(isAlive(deaf)).toBe(false);
  });

  test("that was not started yet never is", async () => {
    const folder = await mkdtemp(join(tmpdir(), "errand-process-"));
    const input = script(`require("node:fs").writeFileSync("was here", "")`);
    const manager = new TaskManager({ graceMs: PATIENT });
    manager.on("task.started", ({ taskId }) => void manager.get(taskId)?.cancel());
    const outcome = await manager.spawn(program, { input: { ...input, cwd: folder } }).outcome();
    await manager.close();
    expect([outcome.status, await readdir(folder)]).toEqual(["cancelled", []]);
    await rm(folder, { recursive: true });
  });
});

describe("a program ends with", () => {
  const ends: readonly [what: string, options: { timeoutMs?: number; totalTimeoutMs?: number }, code: string][] = [
    ["timeoutMs", { timeoutMs: 1_000 }, "timeout"],
    ["totalTimeoutMs", { totalTimeoutMs: 1_000 }, "total_timeout"],
  ];
  test.each(ends)("its %s", async (_what, options, code) => {
    const { manager, pass } = world();
    const handle = manager.spawn(program, { input: tree, ...options });
    const ids = await pids(handle, 4);
    await pass(1_000);
    expect(await handle.outcome()).toMatchObject({ status: "failed", error: { code } });
    expect(living(ids)).toEqual([]);
  });

  test("H2 its parent, however that ends", async () => {
    const manager = new TaskManager({ graceMs: PATIENT });
    for (const [end, status] of [
      ["throw", "failed"],
      ["cancel", "cancelled"],
    ] as const) {
      const fails = deferred();
      const child = deferred<TaskHandle>();
      const parent = manager.spawn(async (ctx) => {
        child.resolve(ctx.spawn(program, { input: tree }));
        await Promise.race([fails.promise, ctx.cancelled()]);
        throw new Error("over");
      });
      const handle = await child.promise;
      const ids = await pids(handle, 4);
      if (end === "throw") fails.resolve();
      else void parent.cancel();
      expect((await parent.outcome()).status).toBe(status);
      expect([handle.status, living(ids)]).toEqual(["cancelled", []]);
    }
  });

  test("D8 its manager", async () => {
    const manager = new TaskManager({ graceMs: PATIENT });
    const handle = manager.spawn(program, { input: tree });
    const ids = await pids(handle, 4);
    await manager.close();
    expect([handle.status, living(ids)]).toEqual(["interrupted", []]);
  });

  test("C5 nothing unhandled, and no listener left", async () => {
    const manager = new TaskManager({ graceMs: PATIENT });
    const before = process.listenerCount("exit");
    const rejections = await unhandled(async () => {
      const handles = Array.from({ length: 20 }, () => manager.spawn(program, { input: script(IDLE) }));
      await Promise.all(handles.map((handle) => pids(handle, 1)));
      expect(process.listenerCount("exit")).toBe(before + 1);
      await manager.close();
    });
    expect([rejections, process.listenerCount("exit")]).toEqual([[], before]);
  });
});

describe("§10 the whole session of a program", () => {
  /** A line for bash, whose processes say `bar` and their id as soon as they are there. */
  const bash = (line: string) => ({ command: "bash", args: ["-c", line] });
  /** A process of such a line: `before` runs before it has said its id, `after` runs afterwards. */
  const idle = ({ before = "", after = "" } = {}) =>
    `${process.execPath} -e '${(before + IDLE + after).replaceAll("'", `"`).replaceAll("idle", "bar")}'`;
  const has = (tool: string) => process.platform !== "win32" && spawnSync(tool, ["--version"]).status === 0;

  const lines: readonly [what: string, line: string, count: number][] = [
    ["`timeout` made a group of", `timeout 300 ${idle()}; echo after`, 1],
    ["a shell with job control made a group of", `set -m; ${idle()} & ${idle()} & wait`, 2],
    ["`nohup` keeps from a hang-up", `nohup ${idle()} & wait`, 1],
    [
      "are in groups within groups",
      `set -m; timeout 300 bash -c "set -m; ${idle().replaceAll(`"`, `\\"`)} & wait" & wait`,
      1,
    ],
    ["`xargs` started", `echo x | xargs -I{} timeout 300 ${idle()}`, 1],
    [
      "are stopped in a group of their own",
      `set -m; ${idle({ after: `process.kill(process.pid, "SIGSTOP");` })} & wait; sleep 100`,
      1,
    ],
  ];
  for (const [what, line, count] of lines) {
    test.skipIf(!has("bash") || !has("timeout"))(`ends with its task: processes that ${what}`, async () => {
      const manager = new TaskManager({ graceMs: PATIENT });
      const handle = manager.spawn(program, { input: bash(line) });
      const ids = await pids(handle, count);
      expect(await handle.cancel("enough")).toMatchObject({ status: "cancelled", reason: "enough" });
      expect(living(ids)).toEqual([]);
    });
  }

  test.skipIf(!has("bash"))(
    "ends when the program exits by itself and leaves a job in a group of its own",
    async () => {
      const manager = new TaskManager({ graceMs: PATIENT });
      const job = idle({ after: `process.kill(process.ppid, "SIGUSR1");` });
      const handle = manager.spawn(program, { input: bash(`set -m; trap "exit 3" USR1; ${job} & wait`) });
      const ids = await pids(handle, 1);
      expect(await handle.result()).toEqual({ exitCode: 3, signal: null });
      expect(living(ids)).toEqual([]);
    },
  );

  test.skipIf(!has("bash"))("is killed, one that hears no SIGTERM in a group of its own too", async () => {
    const { manager, pass } = world({ graceMs: 10_000 });
    const deaf = idle({ before: `process.on("SIGTERM", () => {});` });
    const handle = manager.spawn(program, { input: bash(`set -m; ${deaf} & wait`) });
    const [pid = 0] = await pids(handle, 1);
    const ended = handle.cancel();
    await pass(7_999);
    expect([isAlive(pid), (await peek(ended)).is]).toEqual([true, "pending"]);
    await pass(1);
    expect((await ended).status).toBe("cancelled");
    expect(isAlive(pid)).toBe(false);
  });

  const ends: readonly [
    what: string,
    end: (handle: TaskHandle, pass: (ms: number) => Promise<void>, manager: TaskManager) => Promise<unknown>,
  ][] = [
    ["timeoutMs", (_handle, pass) => pass(60_000)],
    ["close", (_handle, _pass, manager) => manager.close()],
  ];
  test.skipIf(!has("bash")).each(ends)("ends at the %s", async (_what, end) => {
    const { manager, pass } = world();
    const handle = manager.spawn(program, { input: bash(`set -m; ${idle()} & wait`), timeoutMs: 60_000 });
    const ids = await pids(handle, 1);
    await end(handle, pass, manager);
    await handle.outcome();
    expect(living(ids)).toEqual([]);
  });
});

describe("H1 what a program leaves running when it exits", () => {
  test("is ended, though it holds the output open, and the result is the program's own", async () => {
    const manager = new TaskManager({ graceMs: PATIENT });
    const handle = manager.spawn(program, { input: leaves(IDLE, `console.log("done"); process.exit(4);`) });
    const [, idle = 0] = await pids(handle, 2);
    expect(await handle.result()).toEqual({ exitCode: 4, signal: null });
    expect([isAlive(idle), handle.output().text.includes("done\n")]).toEqual([false, true]);
  });

  test("is killed when it hears no SIGTERM", async () => {
    const { manager, pass } = world({ graceMs: 1_000 });
    const handle = manager.spawn(program, { input: leaves(DEAF, "process.exit(0)") });
    const [leader = 0, deaf = 0] = await pids(handle, 2);
    await until(() => isCollected(leader));
    await pass(799);
    expect([handle.status, isAlive(deaf)]).toEqual(["running", true]);
    await pass(1);
    expect(await handle.result()).toEqual({ exitCode: 0, signal: null });
    expect(isAlive(deaf)).toBe(false);
  });

  test("lives on when it is a session of its own; its output is cut off, and the task is over", async () => {
    const manager = new TaskManager({ graceMs: PATIENT });
    const handle = manager.spawn(program, {
      input: leaves(`${IDLE} setInterval(() => console.log("more"), 5);`, "process.exit(0)", true),
    });
    const [, pid = 0] = await pids(handle, 2);
    expect(await handle.result()).toEqual({ exitCode: 0, signal: null });
    await until(
      () => !isAlive(pid),
      () => "the daemon writes to a stream without a reader, and ends by that",
    );
    await manager.close();
  });

  test.skipIf(process.platform !== "linux" || spawnSync("python3", ["-V"]).status !== 0)(
    "is not waited for when it is dead, and no process collects it",
    async () => {
      // One process is dead, in the group of the leader; its parent, which should collect it, has left for its own
      // session.
      const code = `import os, time
done, tell = os.pipe()
if os.fork() == 0:
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
    os.setsid()
    print("idle", os.getpid(), flush=True)
    os.write(tell, b"x")
    time.sleep(1000)
os.read(done, 1)`;
      const manager = new TaskManager({ graceMs: PATIENT });
      const handle = manager.spawn(program, { input: { command: "python3", args: ["-c", code] } });
      const [keeper = 0] = await pids(handle, 1);
      expect(await handle.result()).toEqual({ exitCode: 0, signal: null });
      expect(isAlive(keeper)).toBe(true);
    },
  );
});
