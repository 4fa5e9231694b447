// An agent with tools: a manager with kinds of every sort of behaviour, and the tools of one session, called as a client calls them.

import {
  defineKind,
  type Json,
  type Session,
  type TaskManagerOptions,
  type TaskToolCall,
  type ToolOptions,
} from "errand";
import { z } from "zod";
import { untilStopped, type World, world } from "../core/program.js";

/** Gives what it was given. */
export const echo = defineKind({
  name: "echo",
  description: "Gives back what it is given",
  input: z.object({ text: z.string() }),
  run: (_ctx, { text }) => text,
});
/** Goes on until it is stopped. */
export const dig = defineKind({
  name: "dig",
  description: "Dig until told to stop",
  input: z.object({ where: z.string().describe("a field"), depth: z.number().int().optional() }),
  run: async (ctx, { where }) => {
    ctx.progress({ current: 3, total: 10, unit: "holes", label: where });
    await untilStopped(ctx);
  },
});
/** Asks, and gives the answer. */
export const ask = defineKind({
  name: "ask",
  input: z.object({ question: z.string(), choices: z.array(z.string()).optional() }),
  run: async (ctx, { question, choices }) => ({ answer: await ctx.ask({ question, choices }) }),
});
/** Waits for a person's yes. */
export const deploy = defineKind({
  name: "deploy",
  run: async (ctx) => {
    await ctx.approve("Deploy to production?", { details: { commit: "d6b5e8c" } });
    return "deployed";
  },
});
/** Fails. */
export const fail = defineKind({
  name: "fail",
  input: z.object({ why: z.string() }),
  run: (_ctx, { why }) => {
    throw new Error(why);
  },
});
export const kinds = [echo, dig, ask, deploy, fail];

export type Result = { readonly [key: string]: Json };

export interface Agent extends World {
  readonly session: Session;
  readonly call: Call;
}
export type Call = (name: string, input?: unknown, call?: TaskToolCall) => Promise<Result>;

export function agent(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}, toolOptions?: ToolOptions): Agent {
  const made = world({ kinds, ...options });
  const session = made.manager.session("chat");
  return { ...made, session, call: toolsOf(session, toolOptions) };
}

/** Calls a tool by its name. */
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

export function bytesOf(result: Result): number {
  return Buffer.byteLength(JSON.stringify(result));
}

/** The refusal, which it must be. */
export function refusalIn(result: Result): string {
  if (typeof result.error !== "string" || typeof result.hint !== "string" || Object.keys(result).length !== 2)
    throw new Error(`no refusal: ${JSON.stringify(result)}`);
  return `${result.error} → ${result.hint}`;
}

/** A field that must be text. */
export function textIn(result: Result, field: string): string {
  const value = result[field];
  if (typeof value === "string") return value;
  throw new Error(`no text ${field}: ${JSON.stringify(result)}`);
}
