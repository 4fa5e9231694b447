// Token counts: what the tools, the view and the notices cost a model, by a real tokenizer.
//
// The words depend on nothing but errand: counted ids of the usual form, a clock that stands still. So the counts are the same on every machine,
// and a test holds the results file to them.
import { defineKind, type Json, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { Tiktoken } from "js-tiktoken/lite";
import o200k from "js-tiktoken/ranks/o200k_base";
import { z } from "zod";
import { type Judged, judge } from "./target.js";

export const tokenizer = "o200k_base";
const encoding = new Tiktoken(o200k);
/** As a client sends it. */
function tokensOf(words: unknown): number {
  return encoding.encode(typeof words === "string" ? words : JSON.stringify(words)).length;
}

export interface Counted {
  readonly name: string;
  readonly tokens: number;
}

const crawl = defineKind({
  name: "crawl",
  description: "Read a site, page by page, and tell what it has",
  input: z.object({ url: z.string().describe("where to begin"), max_pages: z.number().int().optional() }),
  run: async (ctx, { url }) => {
    ctx.progress({ current: 12, total: 40, unit: "pages" });
    if (url.endsWith("ask")) await ctx.ask({ question: "Which language?", choices: ["English", "Finnish"] });
    if (url.endsWith("go-on")) await ctx.receive();
    return { pages: 40, broken_links: ["/about", "/team"], summary: "A shop for garden tools, with a blog" };
  },
});
const research = defineKind({
  name: "research",
  description: "Let another agent find out about one topic",
  input: z.object({ prompt: z.string() }),
  run: async (ctx) => void (await ctx.receive()),
});
const shell = defineKind({
  name: "process",
  description: "Run a command",
  input: z.object({ command: z.string(), args: z.array(z.string()).optional() }),
  run: () => ({ exitCode: 0 }),
});

export async function countTokens(): Promise<readonly Counted[]> {
  const made = new Map<string, number>();
  const next = (what: string): string => {
    made.set(what, (made.get(what) ?? 0) + 1);
    return what === "instance" ? "k3v9x2m7" : `${what}_k3v9x2m7_${made.get(what)}`;
  };
  await using manager = new TaskManager({ kinds: [crawl, research, shell], clock: manualClock(), ids: { next } });
  const session = manager.session("chat");
  const tools = session.tools();
  const counted: Counted[] = [];
  const count = (name: string, words: unknown): void => void counted.push({ name, tokens: tokensOf(words) });
  const call = async (name: string, input: object): Promise<Json> => {
    const tool = tools.find((each) => each.name === name);
    if (tool === undefined) throw new Error(`there is no tool ${name}`);
    return tool.execute(input, { callId: `call_${made.get("task") ?? 0}` });
  };

  const definitions = tools.map(({ name, description, inputSchema }) => {
    const input_schema = inputSchema["~standard"].jsonSchema.input({ target: "draft-2020-12" });
    return { name, description, input_schema };
  });
  count("definitions, all six", definitions);
  for (const definition of definitions) count(`definition of ${definition.name}`, definition);

  await session.nextNotices({ timeoutMs: 0 });
  const start = (url: string) => ({ kind: "crawl", input: { url }, name: url, title: `Crawl ${url}.example.com` });
  count("spawn_task, a receipt", await call("spawn_task", start("docs/go-on")));
  count("spawn_task, bad input", await call("spawn_task", { kind: "crawl", input: { uri: "docs" } }));
  count("get_task, it runs", await call("get_task", { task_id: "task_k3v9x2m7_1" }));
  count("get_task, unchanged", await call("get_task", { task_id: "task_k3v9x2m7_1" }));
  for (const url of ["shop", "blog", "news"]) await call("spawn_task", start(url));
  const three = ["task_k3v9x2m7_2", "task_k3v9x2m7_3", "task_k3v9x2m7_4"];
  count("await_tasks, three results", await call("await_tasks", { task_ids: three }));
  await call("spawn_task", start("help/ask"));
  count("await_tasks, a question", await call("await_tasks", {}));
  const answer = { task_id: "task_k3v9x2m7_5", message: "English", in_reply_to: "request_k3v9x2m7_1" };
  count("message_task, an answer", await call("message_task", answer));
  for (let n = 1; n <= 5; n++) await call("spawn_task", start(`part-${n}/go-on`));
  count("list_tasks, ten tasks", await call("list_tasks", {}));
  for (let n = 6; n <= 9; n++) await call("spawn_task", start(`part-${n}/go-on`));
  count("the view of ten tasks", session.view());
  count("cancel_task", await call("cancel_task", { task_id: "task_k3v9x2m7_1" }));
  for (const { id } of session.list({ status: "blocked" })) await session.get(id)?.send("Go on");
  await manager.idle();
  const batch = await session.nextNotices();
  count("notices of ten ends", batch?.text ?? "");
  return counted;
}

/** The bounds of the issue. */
export function judgeTokens(counted: readonly Counted[]): readonly Judged[] {
  const bounds = { "definitions, all six": 1_200, "spawn_task, a receipt": 120, "list_tasks, ten tasks": 500 };
  return Object.entries(bounds).flatMap(([what, most]) => {
    const { tokens } = counted.find(({ name }) => name === what) ?? {};
    return judge(what, tokens, { most, unit: "tokens" }) ?? [];
  });
}
