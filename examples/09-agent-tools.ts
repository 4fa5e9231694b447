// 9. Agent tools: a whole agent loop. Its model starts subagents, sleeps until it is woken, answers a question, and meets a budget.
//
// `agentLoop` is all of it: what happened meanwhile, a turn of the model, its tool calls, and sleep. The same loop runs the subagents, with
// their `ctx` for a session. The model is scripted here; `model` is where yours goes.

import assert from "node:assert/strict";

import { type Json, type Session, TaskManager, type TaskTool, type UsageReport } from "errand";
import { subagent } from "errand/kinds";

type Turn = { readonly role: "user" | "assistant" | "tool"; readonly text: string };
type Call = { readonly id: string; readonly name: string; readonly input: Json };
type Reply = { readonly text: string; readonly calls?: readonly Call[]; readonly usage?: UsageReport };
type Model = (turns: readonly Turn[], tools: readonly TaskTool[]) => Reply | Promise<Reply>;

async function agentLoop(
  session: Session,
  tools: readonly TaskTool[],
  prompt: string,
  model: Model,
  report: (usage: UsageReport) => void = () => {},
): Promise<string> {
  const turns: Turn[] = [{ role: "user", text: prompt }];
  for (let woken = await session.nextNotices({ timeoutMs: 0 }); ; woken = await session.nextNotices({ timeoutMs: 0 })) {
    // What happened while the model was busy. Acknowledged once it is in the turns: until then it would come again, also after a crash.
    if (woken !== undefined && woken.text !== "") turns.push({ role: "user", text: woken.text });
    await woken?.ack();

    // The live tasks go last and are not kept, so that the turns before them stay cached.
    const view = session.view();
    const reply = await model(view === "" ? turns : [...turns, { role: "user", text: view }], tools);
    turns.push({ role: "assistant", text: reply.text });
    report(reply.usage ?? {});

    if (reply.calls !== undefined) {
      const results = reply.calls.map(async ({ id, name, input }) => {
        const tool = tools.find((each) => each.name === name);
        const result =
          tool === undefined ? { error: `There is no tool ${name}` } : await tool.execute(input, { callId: id });
        return { role: "tool", text: JSON.stringify(result) } as const;
      });
      turns.push(...(await Promise.all(results)));
      continue;
    }

    // Nothing to do: sleep. `undefined` is nothing that could ever wake it, so it is done.
    const batch = await session.nextNotices();
    if (batch === undefined) return reply.text;
    turns.push({ role: "user", text: batch.text });
    await batch.ack();
  }
}

// ── the subagents ──────────────────────────────────────────────────────────

const research = subagent({
  name: "research",
  description: "Finds out about one topic",
  loop: (ctx, { prompt }) => {
    const model: Model = async () => {
      if (prompt === "oceans") return { text: "too much to say", usage: { outputTokens: 900 } };
      const where = prompt === "lakes" ? await ctx.ask({ question: "Lakes of which country?" }) : "the world";
      return { text: `${prompt} of ${where}`, usage: { outputTokens: 80 } };
    };
    return agentLoop(ctx, ctx.tools(), prompt, model, (usage) => ctx.reportUsage(usage));
  },
});

// ── the main loop ──────────────────────────────────────────────────────────

const manager = new TaskManager({ kinds: [research], concurrency: 4 });
const session = manager.session("chat-42");

let calls = 0;
const call = (name: string, input: Json): Call => ({ id: `call_${(calls += 1)}`, name, input });

/** What a model would do: start three, sleep, answer who asks, and in the end sum up what it was told. */
const scripted: Model = (turns) => {
  const told = turns.map((turn) => turn.text).join("\n");
  const last = turns.findLast((turn) => turn.role !== "user" || !turn.text.startsWith("Live tasks"))?.text ?? "";
  if (turns.length === 1) {
    const start = (prompt: string) => call("spawn_task", { kind: "research", input: { prompt }, title: prompt });
    return { text: "I look into it.", calls: ["rivers", "lakes", "oceans"].map(start) };
  }
  const [, task, request] = /^- (\S+) .* asks (\S+): /m.exec(last) ?? [];
  if (task !== undefined && request !== undefined) {
    return {
      text: "That is mine to answer.",
      calls: [call("message_task", { task_id: task, message: "Finland", in_reply_to: request })],
    };
  }
  const found = [...told.matchAll(/ succeeded: "(.*)"$/gm)].map(([, text]) => text);
  const isPoor = told.includes("budget_exceeded");
  return { text: `${found.join("; ")}${isPoor ? "; there was no budget for the oceans" : ""}.` };
};

const tools = session.tools({ spawn: { wake: "onActivity", budget: { tokens: 500 } } });
const answer = await agentLoop(session, tools, "What waters are there?", scripted);

console.log(answer);
assert.equal(answer, "rivers of the world; lakes of Finland; there was no budget for the oceans.");
assert.equal(session.view(), "");
assert.deepEqual(session.usage(), { inputTokens: 0, outputTokens: 1060, costUsd: 0, tasks: 3 });

await manager.close();
