// errand show: one task, whole.
import { expect, test } from "vitest";
import { documentOf, errand, printed } from "../support/command.js";
import { family, keep } from "../support/journals.js";

process.env.TZ = "UTC";

test("show describes a task in groups, with its messages, its questions and its events", async () => {
  const { directory } = await family();
  const output = await printed(["show", directory, "task_2"]);
  expect(output.replaceAll(String(process.pid), "PID")).toBe(`\
task_2  crawl  example.org
  status     ◌ blocked
  waits      for a message
  attempt    1
  progress   2 of 3 pages

  parent     task_1
  agent      lead
  made by    lead
  lane       default
  tags       page

  created    2026-01-02 03:04:05.000  3 min 5 s ago
  started    2026-01-02 03:04:05.000  3 min 5 s ago
  process    PID (instance instance_1)

  usage      12.3k tokens in, 450 out, $0.0312

input
  {
    "site": "example.org"
  }

messages
  says  3 min 5 s ago  half of example.org

events
   3  3 min 5 s ago  spawned: crawl example.org, a child of task_1
  10  3 min 5 s ago  started in process PID
  11  3 min 5 s ago  progress: 2 of 3 pages
  12  3 min 5 s ago  used 12.3k tokens in, 450 out, $0.0312
  13  3 min 5 s ago  checkpoint: "page 2"
  23  3 min 5 s ago  says: half of example.org
  25  3 min 5 s ago  waits for a message
`);
});

test("show tells how a question was answered, and by whom", async () => {
  const { directory, manager } = await family();
  await manager.inbox.answer("request_1", true, { by: "ada" });
  await manager.get("task_4")?.result();
  const output = await printed(["show", directory, "task_4"]);
  expect(output).toContain("request_1  answered  3 min 5 s ago  Publish it? (answered by ada 5 s ago: true)");
  expect(output).toContain("request_1 was answered by ada: true");
});

test("show tells why a task failed, with its stack", async () => {
  const { directory } = await family();
  const output = await printed(["show", directory, "task_3"]);
  expect(output).toMatch(/why {8}error: no such host example\.invalid\n/u);
  expect(output).toMatch(/\n\nstack\n {2}RangeError: no such host\n {2}example.invalid\n {6}at /u);
});

test("show --json is one document that agrees with the manager", async () => {
  const { directory, manager } = await family();
  const { task, children, messages, events, requests } = await documentOf(["show", directory, "task_1"]);
  expect(task).toEqual(manager.get("task_1")?.record);
  expect(children).toEqual(["task_2", "task_3", "task_4", "task_5", "task_6", "task_7"]);
  expect({ messages, requests }).toEqual({ messages: [], requests: [] });
  expect(events).toMatchObject([{ type: "task.created", seq: 1 }, {}, {}, {}, {}]);
  const asker = await documentOf(["show", directory, "task_4"]);
  expect(asker).toMatchObject({ requests: manager.inbox.list() });
});

test("show --events says how many of the last events are shown", async () => {
  const { directory } = await family();
  const output = await printed(["show", directory, "task_1", "--events", "1"]);
  expect(output.slice(output.indexOf("\nevents"))).toBe("\nevents\n  24  3 min 5 s ago  waits for 2 tasks\n");
  expect(await printed(["show", directory, "task_1", "--events", "0"])).not.toContain("events");
});

test("a long value is cut, and says how to see the whole", async () => {
  const { directory, manager } = await keep();
  const long = Array.from({ length: 40_000 }, (_, index) => index);
  const { id } = manager.spawn(() => ({ long, text: "x".repeat(1000) }));
  await manager.get(id)?.result();
  const output = await printed(["show", directory, id]);
  expect(output).toContain("  … 39985 more lines, --json shows all\n");
  expect(output.split("\n").length).toBeLessThan(60);
  expect(await documentOf(["show", directory, id])).toMatchObject({ task: { output: { long } } });
});

test("a part of an id is enough when only one task fits", async () => {
  const { directory, manager } = await keep();
  for (const id of ["task_ab_1", "task_ab_11", "task_cd_11", "import"]) await manager.spawn(() => 0, { id }).result();
  const shown = async (id: string): Promise<unknown> => (await documentOf(["show", directory, id])).task;
  expect(await shown("1")).toMatchObject({ id: "task_ab_1" });
  expect(await shown("cd_11")).toMatchObject({ id: "task_cd_11" });
  expect(await shown("task_c")).toMatchObject({ id: "task_cd_11" });
  expect(await shown("port")).toMatchObject({ id: "import" });

  const ambiguous = await errand(["show", directory, "11"]);
  expect(ambiguous).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "11 fits 2 tasks. Give more of the id:\n  task_ab_11  succeeded  function\n  task_cd_11  succeeded  function\n",
  });
  const unknown = await errand(["show", directory, "12"]);
  expect(unknown).toEqual({
    code: 1,
    stdout: "",
    stderr: `There is no task 12 in ${directory}. See errand ls ${directory} --all\n`,
  });
});

test("§12 show quotes a name that is not plain: a blank or a comma in it makes no second field", async () => {
  const { directory, manager } = await keep({ lanes: { default: { concurrency: 1 } } });
  const session = manager.session("night  shift");
  const named = { agent: "a, lane  b", laneKey: "k, priority 9", tags: ["one", "two, three"] };
  await session.spawn(() => 1, named).result();
  const output = await printed(["show", directory, "task_1"]);
  expect(output).toContain('  session    "night shift"\n');
  expect(output).toContain('  agent      "a, lane b"\n');
  expect(output).toContain('  lane       default, key "k, priority 9"\n');
  expect(output).toContain('  tags       one, "two, three"\n');
});
