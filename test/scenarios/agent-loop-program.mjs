// A whole agent loop, as a user writes one. The loop keeps its turns in a file, and continues there after a crash.
//
// Run it with the compiled library: `node agent-loop-program.mjs DIRECTORY [MARK]`. It kills itself with SIGKILL at
// MARK.

import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineKind, TaskManager } from "./lib/index.js";
import { process as program, subagent } from "./lib/kinds/index.js";
import { fileStore } from "./lib/stores/file.js";

const [directory, mark] = process.argv.slice(2);

/** Kills the process when it reaches the marked place. */
function reach(place) {
  if (place === mark) process.kill(process.pid, "SIGKILL");
}

// ── the turns, on the disk ─────────────────────────────────────────────────

const file = join(directory, "turns.jsonl");
const turns = [];
try {
  for (const line of readFileSync(file, "utf8").split("\n")) if (line !== "") turns.push(JSON.parse(line));
} catch (error) {
  if (error.code !== "ENOENT") throw error;
}
function say(turn) {
  appendFileSync(file, `${JSON.stringify(turn)}\n`);
  turns.push(turn);
}

// ── the kinds ──────────────────────────────────────────────────────────────

const crawl = defineKind({
  name: "crawl",
  description: "Reads a site",
  canReattach: () => true,
  retry: { maxAttempts: 9 },
  run: async (ctx, input) => {
    const region = await ctx.ask({ question: "Which region?", choices: ["eu", "us"], key: "region" });
    return `${input.site} in ${region}`;
  },
});
const research = subagent({
  name: "research",
  description: "Finds out about a topic",
  loop: async (ctx, { prompt }) => {
    ctx.reportUsage({ outputTokens: 10 });
    const half = ctx.spawn(() => "half of it", { title: "half" });
    const batch = await ctx.nextNotices();
    await batch?.ack();
    return `${prompt}: ${(await half.outcome()).value}`;
  },
});

// ── the model: its turns alone decide what it does ─────────────────────────

const told = () => turns.flatMap((turn) => (turn.role === "user" ? turn.notices : []));

function model(tools) {
  const id = (n) => `call_${turns.length}_${n}`;
  const calls = [];
  const call = (name, input) => calls.push({ id: id(calls.length), name, input });
  const last = turns.at(-1);
  if (turns.length === 1) {
    call("spawn_task", { kind: "crawl", input: { site: "example.org" } });
    call("spawn_task", { kind: "research", input: { prompt: "rivers" } });
    call("spawn_task", { kind: "process", input: { command: process.execPath, args: ["-e", "console.log(6 * 7)"] } });
  }
  // A notice, or the receipt of a repeated call, reports the tasks of a dead process as interrupted: start those again.
  const again = (kind) => {
    if (kind === "research") call("spawn_task", { kind, input: { prompt: "rivers" } });
    if (kind === "process") {
      const input = { command: process.execPath, args: ["-e", "console.log(6 * 7)"] };
      call("spawn_task", { kind, input });
    }
  };
  for (const notice of last.role === "user" ? last.notices : []) {
    const asked = /asks (request_\S+):/.exec(notice.text);
    if (asked) call("message_task", { task_id: notice.taskId, message: "eu", in_reply_to: asked[1] });
    else if (notice.type === "task.interrupted") again(/\((\w+)\) was interrupted/.exec(notice.text)?.[1]);
    else if (notice.type === "task.succeeded" && notice.text.includes("(process)"))
      call("get_task", { task_id: notice.taskId });
  }
  for (const { id, result } of last.role === "tool" ? last.results : []) {
    const made = turns.flatMap((turn) => (turn.role === "assistant" ? turn.calls : [])).find((each) => each.id === id);
    if (made.name === "spawn_task" && result.status === "interrupted") again(made.input.kind);
  }
  if (tools.length !== 6) throw new Error("six tools are needed");
  return { role: "assistant", text: "", calls };
}

// ── the loop ───────────────────────────────────────────────────────────────

const kinds = [crawl, research, program()];
const manager = await TaskManager.open({ store: fileStore(join(directory, "store")), kinds, concurrency: 2 });
const session = manager.session("chat-42");
const tools = session.tools({ spawn: { wake: "onActivity", budget: { tokens: 1000 } } });

/** Adds a batch to the turns. A notice that the turns contain came before a crash that lost its acknowledgement. */
async function hear(batch) {
  reach("told");
  const known = new Set(told().map(({ id }) => id));
  const fresh = batch.notices
    .filter(({ id }) => !known.has(id))
    .map(({ id, taskId, type, text }) => ({ id, taskId, type, text }));
  if (fresh.length > 0) say({ role: "user", notices: fresh });
  reach("saved");
  await batch.ack();
  reach("acknowledged");
  return fresh.length > 0;
}

if (turns.length === 0) say({ role: "user", notices: [], text: "Look around." });
for (;;) {
  // A crash may leave a reply with unanswered calls. Repeating the same calls gives the same tasks.
  if (turns.at(-1).role !== "assistant") say(model(tools));
  reach("replied");
  const { calls } = turns.at(-1);
  if (calls.length > 0) {
    const results = await Promise.all(
      calls.map(async ({ id, name, input }) => ({
        id,
        result: await tools.find((tool) => tool.name === name).execute(input, { callId: id }),
      })),
    );
    reach("called");
    say({ role: "tool", results });
    continue;
  }
  let batch = await session.nextNotices();
  while (batch !== undefined && !(await hear(batch))) batch = await session.nextNotices();
  if (batch === undefined) break;
}

const tasks = manager.list().map(({ id, kind, title, status, attempt, parentId, callId }) => ({
  id,
  kind,
  title,
  status,
  attempt,
  parentId,
  callId,
}));
console.log(
  JSON.stringify({
    told: told(),
    results: turns.flatMap((turn) => turn.results ?? []),
    tasks,
    view: session.view(),
    open: manager.inbox.list().length,
    usage: session.usage(),
  }),
);
await manager.close();
