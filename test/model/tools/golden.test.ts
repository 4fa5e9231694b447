// The texts of the tools, word for word as a model reads them. A change is a change for every model: read it as one.
//
// `npx vitest run test/model/tools/golden.test.ts -u` writes the files again.

import type { TaskToolName } from "errand";
import { expect, test } from "vitest";
import { type Agent, agent, kinds } from "../../support/agent.js";
import { settled } from "../../support/basics.js";
import { given, holdDeaf, untilStopped } from "../../support/program.js";

/** The calls and their results as a readable text. */
class Transcript {
  readonly #agent: Agent;
  readonly #lines: string[] = [];

  constructor(made: Agent) {
    this.#agent = made;
  }

  async call(about: string, name: TaskToolName, input: object, callId?: string) {
    const result = await this.#agent.call(name, input, { callId });
    this.note(`# ${about}\n${name} ${JSON.stringify(input)}\n${JSON.stringify(result, undefined, 2)}\n`);
    return result;
  }

  note(text: string): void {
    this.#lines.push(text);
  }

  async matches(name: string): Promise<void> {
    await expect(this.#lines.join("\n")).toMatchFileSnapshot(`golden/${name}.txt`);
  }
}

test("§9 the definitions", async () => {
  const { session, manager } = agent();
  const transcript = new Transcript(agent());
  for (const { name, description, inputSchema } of session.tools()) {
    const schema = inputSchema["~standard"].jsonSchema.input({ target: "draft-2020-12" });
    transcript.note(`# ${name}\n${description}\n${JSON.stringify(schema, undefined, 2)}\n`);
  }
  await transcript.matches("definitions");
  await manager.close();
});

test("§9 spawn_task", async () => {
  const made = agent({ limits: { maxDepth: 0 }, concurrency: 4 });
  const { session, manager } = made;
  const transcript = new Transcript(made);
  const dig = { kind: "dig", input: { where: "here" } };
  await transcript.call("no loop has read a notice: no notice will come", "spawn_task", dig);
  await session.nextNotices({ timeoutMs: 0 });
  await transcript.call("a loop reads notices", "spawn_task", { ...dig, name: "digger", title: "A hole" }, "call_1");
  await transcript.call("the same call again", "spawn_task", { ...dig, name: "digger", title: "A hole" }, "call_1");
  await transcript.call(
    "the same call, other input",
    "spawn_task",
    { kind: "dig", input: { where: "there" } },
    "call_1",
  );
  await transcript.call("done in time", "spawn_task", { kind: "echo", input: { text: "hello" }, wait_ms: 1_000 });
  await transcript.call("failed in time", "spawn_task", { kind: "fail", input: { why: "no luck" }, wait_ms: 1_000 });
  await transcript.call("asks first", "spawn_task", { kind: "ask", input: { question: "Why?" }, wait_ms: 1_000 });
  const late = transcript.call("not done in time", "spawn_task", { ...dig, wait_ms: 300 });
  await made.pass(300);
  await late;
  await transcript.call("in line", "spawn_task", dig);
  await transcript.call("a name that is taken", "spawn_task", { ...dig, name: "digger" });
  await transcript.call("a reserved name", "spawn_task", { ...dig, name: "self" });
  await transcript.call("bad input of the kind", "spawn_task", { kind: "dig", input: { where: 5 } });
  await transcript.call("bad input of the tool", "spawn_task", { kind: "sow", wait_ms: -1, when: "now" });
  await transcript.matches("spawn-task");
  await manager.close();
});

test("§9 list_tasks", async () => {
  const made = agent({ concurrency: 2 });
  const transcript = new Transcript(made);
  await transcript.call("no tasks", "list_tasks", {});
  await made.call("spawn_task", { kind: "echo", input: { text: "hello" }, name: "parrot" });
  await settled();
  await made.call("spawn_task", { kind: "dig", input: { where: "here" }, title: "A hole" });
  await made.call("spawn_task", { kind: "ask", input: { question: "Why?" } });
  await made.call("spawn_task", { kind: "dig", input: { where: "there" } });
  await made.call("spawn_task", { kind: "dig", input: { where: "nowhere" } });
  await settled();
  await transcript.call("all", "list_tasks", {});
  await transcript.call("a page", "list_tasks", { limit: 2 });
  await transcript.call("the next", "list_tasks", { limit: 2, after: "task_2" });
  await transcript.call("those of a kind that live", "list_tasks", { status: "live", kind: "ask" });
  await transcript.call("after nothing", "list_tasks", { after: "task_9" });
  await transcript.call("a status that is none", "list_tasks", { status: "paused", limit: 0 });
  await transcript.matches("list-tasks");
  await made.manager.close();
});

test("§9 get_task", async () => {
  const made = agent();
  const { session, manager } = made;
  const transcript = new Transcript(made);
  await transcript.call("no task", "get_task", { task_id: "task_1" });
  const { id } = session.spawn(
    async (ctx) => {
      ctx.output("stdout", "one\ntwo\n");
      ctx.summary("Half of it is done");
      ctx.artifact({ name: "report.md", type: "text/markdown", path: "out/report.md" });
      ctx.reportUsage({ inputTokens: 1_200, outputTokens: 300, costUsd: 0.0125 });
      await ctx.post("I have begun");
      await ctx.receive();
      ctx.output("stdout", "three\n");
      await ctx.receive();
      return { found: ["a", "b"] };
    },
    { name: "worker", title: "All of it", budget: { tokens: 10_000 } },
  );
  await settled();
  await transcript.call("all that is known", "get_task", { task_id: id });
  await transcript.call("unchanged", "get_task", { task_id: id });
  await transcript.call("unchanged, asked for in full", "get_task", { task_id: id, full: true });
  await session.get(id)?.send("Go on");
  await settled();
  await transcript.call("new output, and a message", "get_task", { task_id: id, output_after: 8 });
  await transcript.call("by its name", "get_task", { task_id: "worker" });
  await session.get(id)?.send("And on");
  await settled();
  await transcript.call("over", "get_task", { task_id: id });
  await transcript.call("over, again", "get_task", { task_id: id });

  await made.call("spawn_task", { kind: "ask", input: { question: "Which year?", choices: ["2024", "2025"] } });
  await made.call("spawn_task", { kind: "deploy" });
  await made.call("spawn_task", { kind: "fail", input: { why: "no luck" } });
  await made.call("spawn_task", { kind: "echo", input: { text: "long ".repeat(200) } });
  await settled();
  await transcript.call("asks", "get_task", { task_id: "task_2" });
  await transcript.call("asks a person", "get_task", { task_id: "task_3" });
  await transcript.call("failed", "get_task", { task_id: "task_4" });
  await transcript.call("a result to read on", "get_task", { task_id: "task_5", result_after: 980 });
  await transcript.call("no result", "get_task", { task_id: "task_4", result_after: 0 });
  await transcript.call("bad input", "get_task", { task: "task_1", full: "yes" });
  await transcript.matches("get-task");
  await manager.close();
});

test("§9 await_tasks", async () => {
  const made = agent();
  const { session, manager } = made;
  const transcript = new Transcript(made);
  await transcript.call("nothing lives", "await_tasks", {});
  await made.call("spawn_task", { kind: "echo", input: { text: "hello" }, name: "parrot" });
  await made.call("spawn_task", { kind: "fail", input: { why: "no luck" } });
  await transcript.call("all", "await_tasks", {});
  await made.call("spawn_task", { kind: "dig", input: { where: "here" } });
  await made.call("spawn_task", { kind: "echo", input: { text: "again" } });
  await transcript.call("any", "await_tasks", { mode: "any" });
  const late = transcript.call("too late", "await_tasks", { timeout_ms: 1_000 });
  await made.pass(1_000);
  await late;
  await session.nextNotices({ timeoutMs: 0 });
  await transcript.call("too late, and a loop reads notices", "await_tasks", { timeout_ms: 0 });
  await made.call("spawn_task", { kind: "ask", input: { question: "Why?" } });
  await transcript.call("a question", "await_tasks", { task_ids: ["task_3", "task_5"] });
  await made.call("spawn_task", { kind: "deploy" });
  await transcript.call("an approval", "await_tasks", { task_ids: ["task_6"] });
  await transcript.call("no such task", "await_tasks", { task_ids: ["task_1", "task_9"] });
  await transcript.call("bad input", "await_tasks", { task_ids: "task_1", mode: "some" });
  await transcript.matches("await-tasks");
  await manager.close();
});

test("§9 message_task", async () => {
  const made = agent({ concurrency: 1 });
  const { session, manager } = made;
  const transcript = new Transcript(made);
  session.spawn(async (ctx) => {
    const first = await ctx.receive();
    await ctx.ask({ question: "Which year?", choices: ["2024", "2025"] });
    await ctx.ask({ question: "More?", key: "more" });
    return first?.content;
  });
  await made.call("spawn_task", { kind: "deploy" });
  await settled();
  const hold = holdDeaf(session);
  await settled();
  session.spawn(() => 1);
  await transcript.call("it waits for one", "message_task", { task_id: "task_1", message: "Begin" });
  await transcript.call("it has not started", "message_task", { task_id: "task_4", message: "Be quick" });
  hold.finish();
  await settled();
  await transcript.call("it asks something", "message_task", { task_id: "task_1", message: "Hurry" });
  const year = { task_id: "task_1", in_reply_to: "request_2" };
  await transcript.call("no answer to that", "message_task", { ...year, message: "1999" });
  await transcript.call("an answer", "message_task", { ...year, message: "2025" });
  await transcript.call("an answer again", "message_task", { ...year, message: "2024" });
  await transcript.call("an approval", "message_task", {
    task_id: "task_2",
    message: "yes",
    in_reply_to: "request_1",
  });
  await transcript.call("another's question", "message_task", {
    task_id: "task_2",
    message: "yes",
    in_reply_to: "request_2",
  });
  await transcript.call("it is over", "message_task", { task_id: "task_3", message: "Hello?" });
  await transcript.call("no such task", "message_task", { task_id: "task_9", message: "Hello?" });
  await transcript.call("bad input", "message_task", { message: "" });
  await transcript.matches("message-task");
  await manager.close();
});

test("§9 cancel_task", async () => {
  const made = agent();
  const { session, manager } = made;
  const transcript = new Transcript(made);
  session.spawn(async (ctx) => {
    ctx.spawn((below) => void below.spawn(untilStopped));
    await untilStopped(ctx);
  });
  session.spawn(async (ctx) => {
    await ctx.cancelled();
    return "I was done anyway";
  });
  holdDeaf(session);
  await settled();
  await transcript.call("with what is below it", "cancel_task", { task_id: "task_1", reason: "not needed" });
  await transcript.call("again", "cancel_task", { task_id: "task_1" });
  await transcript.call("it returns all the same", "cancel_task", { task_id: "task_2" });
  const deaf = transcript.call("it does not hear", "cancel_task", { task_id: "task_3", wait_ms: 1_000 });
  await made.pass(1_000);
  await deaf;
  await made.pass(4_000);
  await transcript.call("it was given up", "cancel_task", { task_id: "task_3" });
  await transcript.call("no such task", "cancel_task", { task_id: "task_9" });
  await transcript.call("bad input", "cancel_task", { task_id: 1, wait_ms: 1e9 });
  await transcript.matches("cancel-task");
  await manager.close();
});

test("the kinds of this file are all offered", () => {
  const [spawn] = agent().session.tools();
  for (const { name } of kinds) expect(given(spawn).description).toContain(`- ${name}`);
});
