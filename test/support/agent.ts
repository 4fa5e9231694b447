// An agent with tools: a manager with kinds of every behaviour, and the tools of one session as a client calls them.

import {
  defineKind,
  type Json,
  type Session,
  type TaskManagerOptions,
  type TaskToolCall,
  type ToolOptions,
} from "errand";
import { z } from "zod";
import { untilStopped, type World, world } from "./program.js";

/** Returns its input. */
export const echo = defineKind({
  name: "echo",
  description: "Gives back what it is given",
  input: z.object({ text: z.string() }),
  run: (_ctx, { text }) => text,
});
/** Runs until it is stopped. */
export const dig = defineKind({
  name: "dig",
  description: "Dig until stopped",
  input: z.object({ where: z.string().describe("a field"), depth: z.number().int().optional() }),
  run: async (ctx, { where }) => {
    ctx.progress({ current: 3, total: 10, unit: "holes", label: where });
    await untilStopped(ctx);
  },
});
/** Asks a question and returns the answer. */
export const ask = defineKind({
  name: "ask",
  input: z.object({ question: z.string(), choices: z.array(z.string()).optional() }),
  run: async (ctx, { question, choices }) => ({ answer: await ctx.ask({ question, choices }) }),
});
/** Waits for an approval. */
export const deploy = defineKind({
  name: "deploy",
  run: async (ctx) => {
    await ctx.approve("Deploy to production?", { details: { commit: "d6b5e8c" } });
    return "deployed";
  },
});
/** Fails at once. */
export const fail = defineKind({
  name: "fail",
  input: z.object({ why: z.string() }),
  run: (_ctx, { why }) => {
    throw new Error(why);
  },
});
/** All kinds of the agent. */
export const kinds = [echo, dig, ask, deploy, fail];

/** The result of a tool. */
export type Result = { readonly [key: string]: Json };

/** A world with one session and its tools. */
export interface Agent extends World {
  /** The session that the tools act for. */
  readonly session: Session;
  /** Calls a tool of the session. */
  readonly call: Call;
}
/** Calls a tool by its name. */
export type Call = (name: string, input?: unknown, call?: TaskToolCall) => Promise<Result>;

/** Makes an agent on a manual clock. */
export function agent(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}, toolOptions?: ToolOptions): Agent {
  const made = world({ kinds, ...options });
  const session = made.manager.session("chat");
  return { ...made, session, call: toolsOf(session, toolOptions) };
}

/** The tools of a session, to call by name. */
export function toolsOf(session: Session, options?: ToolOptions): Call {
  const tools = new Map(session.tools(options).map((tool) => [tool.name as string, tool]));
  return async (name, input = {}, call) => {
    const tool = tools.get(name);
    if (tool === undefined) throw new Error(`there is no tool ${name}`);
    const result = await tool.execute(input, call);
    if (typeof result !== "object" || result === null || Array.isArray(result))
      throw new Error(`${name} gave ${JSON.stringify(result)}`);
    return result as Result;
  };
}

/** The bytes of a result as JSON. */
export function bytesOf(result: Result): number {
  return Buffer.byteLength(JSON.stringify(result));
}

/** The texts of a refusal. Throws when the result is none. */
export function refusalIn(result: Result): string {
  if (typeof result.error !== "string" || typeof result.hint !== "string" || Object.keys(result).length !== 2)
    throw new Error(`no refusal: ${JSON.stringify(result)}`);
  return `${result.error} → ${result.hint}`;
}

/** The text of a field. Throws when the field has no text. */
export function textIn(result: Result, field: string): string {
  const value = result[field];
  if (typeof value === "string") return value;
  throw new Error(`no text ${field}: ${JSON.stringify(result)}`);
}
