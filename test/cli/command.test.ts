// The command as a process: its exit codes, its pipes, and the processes whose journals it reads.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { command, compileCommand, execute, program, start, until } from "../support/command.js";
import { place } from "../support/place.js";

compileCommand();

const WORK = `
import { TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
const manager = await TaskManager.open({ store: fileStore(process.argv[2]), graceMs: 0 });
const nightly = manager.spawn((ctx) => ctx.approve("Publish it?"), { title: "nightly" });
for await (const request of manager.inbox.watch()) break;
process.stdout.write("asks\\n");
`;
const DIES = `${WORK} process.kill(process.pid, "SIGKILL");`;
const GOES_ON = `${WORK}
process.stdin.once("data", async () => {
  await manager.inbox.answer(manager.inbox.list()[0].id, true, { by: "ada" });
  await nightly.result();
  await manager.close();
  process.exit();
});
`;

test("the command ends with its exit code, and prints its version", async () => {
  const said = await Promise.all([["--version"], ["list"]].map((args) => execute(command(), args)));
  expect(said).toEqual([
    { code: 0, stdout: `${manifest.version}\n`, stderr: "" },
    { code: 2, stdout: "", stderr: expect.stringMatching(/^There is no command list\. .+\n$/u) },
  ]);
});

test("a journal whose process was killed is shown as it was left, and says so; a pipe without a reader ends it quietly", async () => {
  const directory = await place();
  const child = start(await program(DIES), [directory]);
  const { pid } = child;
  await once(child, "close");
  const { code, stdout } = await execute(command(), ["ls", directory]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\? blocked {2}task_\S+ {2}function {2}nightly .* waits for an answer: Publish it\?$/mu);
  expect(stdout).toContain("1 open question\n");
  expect(stdout).toContain(
    `1 task was under way in process ${pid}, which does not run on this machine: it is shown as it left it.\n`,
  );

  // The reader of the pipe has gone, like `true` in `errand ls DIR | true`.
  const unread = start(command(), ["ls", directory]);
  unread.stdout.destroy();
  let complained = "";
  unread.stderr.setEncoding("utf8").on("data", (text: string) => (complained += text));
  expect(await once(unread, "close")).toEqual([0, null]);
  expect(complained).toBe("");
});

test.runIf(process.platform === "linux")(
  "an output that cannot be written is one line on stderr and exit code 1; complaints that cannot be written change no exit code",
  async () => {
    const directory = await place();
    await once(start(await program(DIES), [directory]), "close");
    const full = await open("/dev/full", "w");
    const run = async (stdout: "pipe" | number, stderr: "pipe" | number, ...args: string[]) => {
      const child = spawn(process.execPath, [command(), ...args], { stdio: ["ignore", stdout, stderr] });
      let complained = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => (complained += text));
      const [code] = await once(child, "close");
      return { code, complained };
    };
    for (const args of [
      ["ls", directory],
      ["tail", directory, "--json"],
      ["verify", directory],
      ["ls", "--help"],
    ]) {
      expect(await run(full.fd, "pipe", ...args)).toEqual({
        code: 1,
        complained: expect.stringMatching(/^The output could not be written: ENOSPC[^\n]*\n$/),
      });
    }
    expect((await run("pipe", full.fd, "list")).code).toBe(2);
    expect((await run(full.fd, full.fd, "ls", directory)).code).toBe(1);
    await full.close();
  },
);

test("a journal in use is read beside its process, which goes on undisturbed, and followed until Ctrl-C", async () => {
  const directory = await place();
  const worker = start(await program(GOES_ON), [directory]);
  await until(worker.stdout, "asks");
  const before = (await readdir(directory)).sort();

  const looked = await Promise.all(["ls", "verify", "tail"].map((name) => execute(command(), [name, directory])));
  for (const { code, stderr } of looked) expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(looked[0]?.stdout).toContain("1 task: 1 blocked\n");
  expect(looked[0]?.stdout).not.toContain("does not run");
  expect((await readdir(directory)).sort()).toEqual(before);

  const follower = start(command(), ["tail", directory, "--follow"]);
  const unread = start(command(), ["tail", directory, "--follow"]);
  const left = once(unread, "close");
  unread.stdout.destroy();
  await until(follower.stdout, "asks (");
  const [closed, followed] = [once(worker, "close"), once(follower, "close")];
  const ended = until(follower.stdout, "succeeded");
  worker.stdin.write("go\n");
  await ended;
  follower.kill("SIGINT");
  expect(await closed).toEqual([0, null]);
  expect(await followed).toEqual([0, null]);
  expect(await left).toEqual([0, null]);
});
