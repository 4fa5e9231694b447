// errand ls: the tree of a journal as people and programs read it.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
import { expect, test } from "vitest";
import { widthOf } from "../../lib/cli/width.js";
import { documentOf, errand, printed } from "../support/command.js";
import { family, keep } from "../support/journals.js";
import { pictureOf, place } from "../support/place.js";

test("ls draws each family as a tree, then the open questions, then the counts", async () => {
  const { directory } = await family();
  expect(await printed(["ls", await pictureOf(directory)])).toBe(`\
◌ blocked    task_1    function  Nightly build  3 min 5 s  waits for 2 tasks · 12.3k tokens in, 450 out, $0.0312
◌ blocked    ├ task_2  crawl     example.org    3 min 5 s  waits for a message · 2 of 3 pages · 12.3k tokens in, 450 out, $0.0312
✗ failed     ├ task_3  function  dns                 0 ms  3 min 5 s ago · error: no such host example.invalid
? blocked    ├ task_4  function  publisher      3 min 5 s  waits for an answer: Publish it?
◌ blocked    ├ task_5  function  nap            3 min 5 s  waits for 1 min 55 s more
● running    ├ task_6  function  hold           3 min 5 s
· queued     └ task_7  function  in line        3 min 5 s
✓ succeeded  task_8    function  quick               0 ms  2 min 5 s ago
− cancelled  task_9    function  stopped                   2 min 5 s ago · not needed

1 open question
  request_1  task_4 publisher  3 min 5 s ago  Publish it? (yes or no, expires in 6 min 55 s)

9 tasks: 1 queued, 1 running, 4 blocked, 1 succeeded, 1 failed, 1 cancelled
`);
});

test("ls pads no row for one long id or title, and shows each of them whole where rows are not cut", async () => {
  const { directory, manager } = await keep();
  const id = `nightly/${"a".repeat(150)}`;
  const title = "t".repeat(90);
  await manager.spawn(() => 1, { id }).result();
  await manager.spawn(() => 1, { id: "short", title }).result();
  await manager.spawn(() => 1, { id: "plain", title: "plain" }).result();
  const lines = (await printed(["ls", directory])).split("\n");
  const line = (what: string) => lines.find((each) => each.includes(what)) ?? "";
  expect(line(id)).toContain(`${id}  function`);
  expect(line(title)).toContain("short ");
  expect(widthOf(line("plain"))).toBeLessThan(130);
  expect(line("plain")).toMatch(/^✓ succeeded  plain {37}function  plain {37}/);
  const { tasks } = await documentOf(["ls", directory]);
  expect(tasks).toMatchObject([{ id }, { id: "short", title }, { id: "plain" }]);
});

test("ls --json is one document that agrees with the manager", async () => {
  const { directory, manager } = await family();
  const { tasks, requests, counts, hidden, seq } = await documentOf(["ls", directory]);
  expect(tasks).toEqual(manager.list());
  expect(requests).toEqual(manager.inbox.list());
  expect(counts).toMatchObject({ queued: 1, running: 1, blocked: 4, failed: 1, interrupted: 0 });
  expect({ hidden, seq }).toEqual({ hidden: 0, seq: expect.any(Number) });
});

test("ls --status shows the tasks of these statuses, and what they hang on", async () => {
  const { directory } = await family();
  expect(idsIn(await printed(["ls", directory, "--status", "failed"]))).toEqual(["task_1", "task_3"]);
  const both = ["--status", "succeeded,cancelled", "--status", "queued"];
  expect(idsIn(await printed(["ls", directory, ...both]))).toEqual(["task_1", "task_7", "task_8", "task_9"]);
  const { tasks, requests } = await documentOf(["ls", directory, "--status", "failed"]);
  expect(tasks).toMatchObject([{ id: "task_3", status: "failed" }]);
  expect(requests).toEqual([]);
});

test("ls shows all that lives, and under each parent the newest 20 of what has ended", async () => {
  const { directory, manager } = await keep();
  const old = manager.spawn((ctx) => ctx.cancelled(), { title: "old and alive" });
  const parent = manager.spawn(async (ctx) => {
    const children = Array.from({ length: 25 }, () => ctx.spawn(() => undefined));
    await ctx.awaitTasks(children);
    await ctx.receive();
  });
  await manager.awaitTasks(Array.from({ length: 22 }, () => manager.spawn(() => undefined)));
  await expect.poll(() => parent.record.blockedOn.map(({ on }) => on)).toEqual(["message"]);
  await manager.spawn(() => undefined).result();

  const lines = (await printed(["ls", directory])).split("\n");
  expect(lines.filter((line) => line.includes("more"))).toEqual([
    "… and 3 more that ended: --all shows them",
    "├ … and 5 more that ended: --all shows them",
  ]);
  expect(lines.some((line) => line.includes(old.id) && line.includes("old and alive"))).toBe(true);
  expect(lines.filter((line) => line.includes("succeeded ")).length).toBe(40);
  expect(await documentOf(["ls", directory])).toMatchObject({ hidden: 8, tasks: { length: 42 } });
  expect(await documentOf(["ls", directory, "--all"])).toMatchObject({ hidden: 0, tasks: { length: 50 } });
  expect(idsIn(await printed(["ls", directory, "--all"])).length).toBe(50);
});

test("a directory in which nothing is stored, and one that is not there, say what DIR is", async () => {
  const directory = await place();
  expect(await printed(["ls", directory])).toBe(
    `Nothing is stored in ${directory} yet. Is it the directory that the program gives to fileStore?\n`,
  );
  expect(await documentOf(["ls", directory])).toMatchObject({ tasks: [], requests: [], seq: 0 });
  await mkdir(path.join(directory, "results"));
  expect(await printed(["ls", directory])).toContain("Nothing is stored");

  const missing = path.join(directory, "missing");
  expect(await errand(["ls", missing])).toEqual({
    code: 1,
    stdout: "",
    stderr: `The store is not available: there is no ${missing}: check the path\nDIR is the directory that the program gives to fileStore.\n`,
  });
});

test.each([undefined, 60, 200])("no text of a task steers the terminal, of %s columns", async (columns) => {
  const { directory, manager } = await keep();
  const evil = "\u001B[2J\u009B31m\u202Eevil\r\n✓ succeeded  task_99\u0007";
  const task = manager.spawn(
    async (ctx) => {
      ctx.summary(evil);
      ctx.emit(evil, { [evil]: evil });
      await ctx.post(evil);
      ctx.spawn(() => Promise.reject(new Error(evil)), { title: evil });
      return ctx.ask({ question: evil, choices: [evil, "b"] });
    },
    { title: evil, name: "evil", agent: evil, tags: [evil], metadata: { evil } },
  );
  await expect.poll(() => manager.inbox.list().length).toBe(1);
  await manager.spawn(() => evil, { id: `task_${"x".repeat(8)}`, title: evil }).result();

  const settings = columns === undefined ? {} : { columns, env: { NO_COLOR: "1" } };
  const commands = [["ls"], ["show", task.id], ["show", "task_2"], ["tail", "-n", "99"]].map(([name = "", ...rest]) => [
    name,
    directory,
    ...rest,
  ]);
  for (const args of commands) {
    for (const output of [await printed(args, settings), await printed([...args, "--json"], settings)]) {
      expect(output).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      expect(output).not.toMatch(/^✓ succeeded {2}task_99/mu);
    }
  }
  expect(await documentOf(["show", directory, task.id])).toMatchObject({ task: { title: evil } });
  const { stderr } = await errand(["show", directory, "task"]);
  expect(stderr.split("\n").length).toBe(5);
});

test.each([undefined, 60])(
  "§12 no title, id or answer wraps into a false row, and an id is quoted where it is not plain, of %s columns",
  async (columns) => {
    const { directory, manager } = await keep();
    const blanks = [
      " ".repeat(70),
      "\u00A0".repeat(70),
      "\u2003".repeat(70),
      "\u3000\u2800".repeat(40),
      "\t\n ".repeat(30),
    ];
    const title = `crawl${blanks.map((blank) => `${blank}✓ succeeded  task_99`).join("")}`;
    const id = `page${" ".repeat(70)}✓ succeeded, approved by a person`;
    const asks = manager.spawn((ctx) => ctx.ask({ question: title, choices: [title, "b"] }), {
      id,
      title,
      name: title,
    });
    await expect.poll(() => manager.inbox.list().length).toBe(1);
    await manager.spawn(() => ({ [title]: title }), { title, tags: [title] }).result();
    const settings = columns === undefined ? {} : { columns, env: { NO_COLOR: "1" } };
    for (const args of [
      ["ls", directory],
      ["show", directory, id],
      ["tail", directory, "-n", "99"],
    ]) {
      for (const line of (await printed(args, settings)).split("\n")) {
        // Columns are padded to their width and no further.
        expect(line).not.toMatch(/crawl\s{3,}/u);
        expect(line.replaceAll(/"[^"]*"/gu, "")).not.toContain("approved by");
      }
    }
    expect((await printed(["show", directory, "page ✓ succeeded, approved by a person"])).split("\n")[0]).toContain(
      '"page ✓',
    );
    expect(await documentOf(["show", directory, id])).toMatchObject({ task: { id, title } });
    await asks.cancel();
  },
);

test("lines are as wide as the terminal at most, colours and wide letters counted rightly", async () => {
  const { directory, manager } = await keep();
  manager.spawn((ctx) => ctx.approve("この作業を続けてもよろしいですか？".repeat(3)), {
    title: "夜間ビルド 🚀 ".repeat(9),
  });
  await expect.poll(() => manager.inbox.list().length).toBe(1);
  await manager.spawn(() => undefined, { title: "plain ".repeat(40) }).result();
  for (const columns of [40, 61, 120]) {
    const output = await printed(["ls", directory], { columns });
    expect(output).toContain("\u001B[33m");
    const widths = stripVTControlCharacters(output).split("\n").map(widthOf);
    expect(Math.max(...widths)).toBeLessThanOrEqual(columns);
    expect(output).toContain("…");
  }
  for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }])
    expect(await printed(["ls", directory], { columns: 60, env })).not.toContain("\u001B");
  expect(await printed(["ls", directory])).toContain("plain ".repeat(40).trim());
});

test("a task that goes on after a restart has its attempt, and one that was lost its reason", async () => {
  const { directory } = await family();
  const picture = await pictureOf(directory);
  const next = await TaskManager.open({ store: fileStore(picture) });
  await next.close();
  const output = await printed(["ls", picture], { now: Date.now() });
  expect(output).toMatch(/^! interrupted +task_1 .* process_lost/mu);
  expect(output).not.toContain("open question");
});

/** The ids of the printed tasks, in the order shown. */
function idsIn(output: string): string[] {
  return [...output.matchAll(/^\S \S+ +[│├└ ]*(task_\S+)/gmu)].map(([, id = ""]) => id);
}
