// The kind `process` (§10): what it starts, what it reads, and what its end is.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TaskManager } from "errand";
import { command, type ProcessInput } from "errand/kinds";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { outsideTimers } from "../../lib/core/time/outside-time.js";
import { unhandled } from "../support/basics.js";
import { IDLE, script, until } from "../support/programs.js";

const program = command();
let manager: TaskManager;
beforeEach(() => {
  manager = new TaskManager();
});
afterEach(() => manager.close());

const start = (input: ProcessInput, options: { graceMs?: number; timeoutMs?: number } = {}) =>
  manager.spawn(program, { ...options, input });

describe("§10 a program", () => {
  test("that exits is a result, whatever its code, and the summary says which", async () => {
    for (const code of [0, 3]) {
      const handle = start(script(`process.exit(${code})`));
      expect(await handle.result()).toEqual({ exitCode: code, signal: null });
      expect(handle.record.summary).toBe(`exit ${code}`);
    }
  });

  test("that a foreign signal ends is a result that names the signal", async () => {
    const handle = start(script(`process.kill(process.pid, "SIGKILL")`));
    expect(await handle.result()).toEqual({ exitCode: null, signal: "SIGKILL" });
    expect(handle.record.summary).toBe("SIGKILL");
  });

  test("is read while it runs, by stream and in order", async () => {
    const handle = start(script(`console.log("one"); console.error("two"); setInterval(() => {}, 1000);`));
    await until(() => handle.output().text.length === 8);
    expect(handle.status).toBe("running");
    const { parts } = handle.output();
    expect(parts.find(({ stream }) => stream === "stdout")?.text).toBe("one\n");
    expect(parts.find(({ stream }) => stream === "stderr")?.text).toBe("two\n");
    await handle.cancel();
  });

  test("has a character that comes in pieces read as one", async () => {
    const code = `const bytes = Buffer.from("grüße ✓ 𝄞"); let at = 0;
      const next = () => { if (at < bytes.length) process.stdout.write(bytes.subarray(at, ++at), () => setTimeout(next, 2)); }; next();`;
    const handle = start(script(code));
    await handle.result();
    expect(handle.output().text).toBe("grüße ✓ 𝄞");
  });

  test("may print more than is kept: the newest stays, and what was dropped is counted", async () => {
    const handle = start(
      script(`for (let n = 0; n < 2000; n++) process.stdout.write(String(n).padEnd(1000, ".") + "\\n");`),
    );
    expect(await handle.result()).toMatchObject({ exitCode: 0 });
    const { text, cursor, dropped } = handle.output();
    expect(cursor).toBe(2_002_000);
    expect([text.length, dropped]).toEqual([64 * 1024, cursor - 64 * 1024]);
    expect(text).toContain("1999....");
  });

  test("has nothing to read", async () => {
    const handle = start(script(`process.stdin.on("end", () => console.log("end")).resume();`));
    await handle.result();
    expect(handle.output().text).toBe("end\n");
  });

  test("gets its arguments as they are: no shell reads them", async () => {
    const args = ["$HOME", "*", "a b", '"', "; echo no", "", "ü"];
    const handle = start(script(`console.log(JSON.stringify(process.argv.slice(1)))`, "--", ...args));
    await handle.result();
    expect(JSON.parse(handle.output().text)).toEqual(args);
  });

  test("works in `cwd`, with `env` added to the environment of this process", async () => {
    const folder = await mkdtemp(join(tmpdir(), "errand-process-"));
    try {
      const code = `console.log(JSON.stringify([process.cwd(), process.env.ADDED, process.env.PATH]))`;
      const handle = start({ ...script(code), cwd: folder, env: { ADDED: "yes" } });
      await handle.result();
      expect(JSON.parse(handle.output().text)).toEqual([folder, "yes", process.env.PATH]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("leaves no timer behind", async () => {
    const platforms = [globalThis, outsideTimers].map((platform) => ({
      set: vi.spyOn(platform, "setTimeout"),
      cleared: vi.spyOn(platform, "clearTimeout"),
    }));
    await start(script("")).result();
    const timers = platforms.flatMap(({ set }) =>
      set.mock.calls.flatMap(([, ms = 0], index) => (ms < 86_400_000 ? [set.mock.results[index]?.value] : [])),
    );
    const isCleared = (timer: unknown) =>
      platforms.some(({ cleared }) => cleared.mock.calls.some(([of]) => of === timer));
    // A pause that was awaited has fired: it refers to nothing.
    const left = timers.filter((timer) => !isCleared(timer) && timer?.hasRef());
    vi.restoreAllMocks();
    expect(timers.length).toBeGreaterThanOrEqual(2);
    expect(left).toEqual([]);
  });

  test("is started by the name of its kind, a hundred at a time, and nothing warns or is left", async () => {
    const warnings: unknown[] = [];
    const hear = (warning: unknown) => warnings.push(warning);
    process.on("warning", hear);
    const listeners = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
    const before = listeners();
    const wraps = () => process.getActiveResourcesInfo().filter((what) => /ProcessWrap|PipeWrap/.test(what)).length;
    const wrapsBefore = wraps();
    const knowing = new TaskManager({ kinds: [program], concurrency: 100 });
    const input = { command: "sh", args: ["-c", "echo $$"] };
    const handles = Array.from({ length: 100 }, () => knowing.spawn("process", { input }));
    const { outcomes } = await knowing.awaitTasks(handles);
    expect(outcomes.every((outcome) => outcome?.status === "succeeded")).toBe(true);
    expect(new Set(handles.map((handle) => handle.output().text)).size).toBe(100);
    expect(listeners()).toEqual(before);
    await until(() => wraps() <= wrapsBefore);
    await knowing.close();
    process.off("warning", hear);
    expect(warnings).toEqual([]);
  });
});

describe("§10 with `check`", () => {
  const lines = Array.from({ length: 30 }, (_, n) => `line ${n}`);

  test("a code that is not 0 fails the task, with the program, the code, and the end of its stderr", async () => {
    const code = `console.error(${JSON.stringify(lines.join("\n"))}); process.exitCode = 7;`;
    const outcome = await start({ ...script(code), check: true }).outcome();
    expect(outcome).toMatchObject({ status: "failed", error: { code: "error" } });
    const message = outcome.status === "failed" ? outcome.error.message : "";
    expect(message).toBe(`${process.execPath} ended with exit 7\n${lines.slice(-10).join("\n")}`);
  });

  test("a signal fails it, and 0 does not", async () => {
    const killed = start({ ...script(`process.kill(process.pid, "SIGKILL")`), check: true });
    expect(await killed.outcome()).toMatchObject({ error: { message: `${process.execPath} ended with SIGKILL` } });
    expect(await start({ ...script(""), check: true }).result()).toEqual({ exitCode: 0, signal: null });
  });

  test("a message is short, however long the lines", async () => {
    const outcome = await start({
      ...script(`console.error("x".repeat(1e6)); process.exit(1)`),
      check: true,
    }).outcome();
    expect(outcome.status === "failed" && outcome.error.message.length).toBeLessThan(2_200);
  });
});

describe("§10 with `retry`", () => {
  test("a program that was checked is started again, and its output goes on", async () => {
    const folder = await mkdtemp(join(tmpdir(), "errand-process-"));
    const code = `const fs = require("node:fs"); const again = fs.existsSync("ran"); fs.writeFileSync("ran", ""); console.log(again); process.exit(again ? 0 : 1);`;
    const kind = command({ retry: { maxAttempts: 2, backoffMs: 0 } });
    const handle = manager.spawn(kind, { input: { ...script(code), cwd: folder, check: true } });
    expect(await handle.result()).toEqual({ exitCode: 0, signal: null });
    expect([handle.output().text, handle.record.attempt]).toEqual(["false\ntrue\n", 2]);
    await rm(folder, { recursive: true });
  });
});

describe("§10 a program that cannot be started fails its task, and says why", () => {
  test.each<[what: string, input: ProcessInput, said: RegExp]>([
    ["no such command", { command: "no-such-command-here" }, /no-such-command-here could not be started: .*ENOENT/],
    ["no such file", { command: "/no/such/file" }, /\/no\/such\/file could not be started: .*ENOENT/],
    [
      "a folder that is not there",
      { command: "sh", cwd: "/no/such/folder" },
      /sh could not be started: .*cwd.*\/no\/such\/folder/,
    ],
    [
      "a cwd that is a file",
      { command: "sh", cwd: import.meta.filename },
      /sh could not be started: .*cwd.*not a directory/,
    ],
    [
      "arguments that are too long",
      { command: "sh", args: ["x".repeat(4_000_000)] },
      /sh could not be started: .*E2BIG/,
    ],
  ])("%s", async (_what, input, said) => {
    const rejections = await unhandled(async () => {
      const outcome = await start(input).outcome();
      expect(outcome).toMatchObject({
        status: "failed",
        error: { code: "error", message: expect.stringMatching(said) },
      });
    });
    expect(rejections).toEqual([]);
  });

  test("a file that is no program", async () => {
    const folder = await mkdtemp(join(tmpdir(), "errand-process-"));
    const file = join(folder, "text.txt");
    await writeFile(file, "text", { mode: 0o644 });
    expect(await start({ command: file }).outcome()).toMatchObject({
      error: { message: expect.stringMatching(/text\.txt could not be started: .*EACCES/) },
    });
    await rm(folder, { recursive: true });
  });
});

describe("§12 process refuses", () => {
  test.each<[what: string, definition: unknown, name: string, said: string]>([
    ["a definition that is none", "process", "TypeError", "definition"],
    ["null", null, "TypeError", "definition"],
    ["a misspelt option", { lanes: "x" }, "TypeError", "lanes"],
    ["an option of a call", { command: "ls" }, "TypeError", "command"],
    ["an empty name", { name: "" }, "RangeError", "name"],
    ["a name that is no string", { name: 1 }, "TypeError", "name"],
    ["a negative timeout", { timeoutMs: -1 }, "RangeError", "timeoutMs"],
    ["maxAttempts 0", { retry: { maxAttempts: 0 } }, "RangeError", "maxAttempts"],
  ])("%s", (_what, definition, name, said) => {
    expect(() => command(definition as Parameters<typeof command>[0])).toThrow(
      expect.objectContaining({ name, message: expect.stringContaining(said) }),
    );
  });

  test("nothing else: name, description, lane, timeout and retry are the kind's", async () => {
    const kind = command({ name: "build", description: "Builds.", lane: "cpu", timeoutMs: 50 });
    expect([kind.name, kind.description, program.name]).toEqual(["build", "Builds.", "process"]);
    expect(program.description).toMatch(/program/);
    const laned = new TaskManager({ lanes: { cpu: { concurrency: 1 } } });
    const handle = laned.spawn(kind, { input: script(IDLE) });
    expect(await handle.outcome()).toMatchObject({ status: "failed", error: { code: "timeout" } });
    expect(handle.record).toMatchObject({ kind: "build", lane: "cpu" });
    await laned.close();
  });
});
