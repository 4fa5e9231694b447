// Tool: one of the six, as a client takes it, and what is the same for all of them.
//
// Checks the input, says for whom it acts, turns a refusal into a result, and gives nothing before it is stored (D1).

import { isErrandError, ManagerClosedError } from "../../core/task/errors.js";
import { throwIfAborted } from "../../core/values/abort-signal.js";
import { checkSignal } from "../../core/values/checks.js";
import type { Json } from "../../core/values/json.js";
import type { WaitOptions } from "../../core/waits/waits.js";
import type { TaskToolName, ToolSet } from "../prompt/tool-names.js";
import { visible, visibleJson } from "../prompt/visible.js";
import type { Host } from "./caller.js";
import type { Result } from "./fit-to-bytes.js";
import { Refused, refusalFor } from "./refusals.js";
import { type Fields, type Taken, type ToolInputSchema, toolInput } from "./tool-schema.js";

/** What a client knows of the call. */
export interface TaskToolCall extends WaitOptions {
  /** The model's tool call: `spawn_task` starts one task for it, however often it is made again. */
  callId?: string | undefined;
}

/** A tool for a model, as any client that speaks JSON Schema takes it. */
export interface TaskTool {
  readonly name: TaskToolName;
  readonly description: string;
  /** One `~standard` object that both validates, at once, and gives JSON Schema (`draft-2020-12`, `draft-07`; any other is a `TypeError`). */
  readonly inputSchema: ToolInputSchema;
  /**
   * Does it, and gives a plain JSON object of at most `maxResultBytes`. Bad input and every refusal are results too: `{ error, hint }`, two texts, of
   * which `error` says what happened and `hint` what to do next. No other result has an `error`: how a task failed is its `failure`, an object
   * `{ code, message }`. Every text in it is shown without characters that nobody sees; the record and `result()` keep them. It rejects only when `signal` aborts (with its reason), when the task whose loop calls it is stopped
   * (`TaskCancelledError`), or when the manager is closed (`ManagerClosedError`). What it started or stopped before stays so.
   */
  execute(input: unknown, call?: TaskToolCall): Promise<Json>;
}

/** What a tool needs besides its input. */
export interface Calling {
  readonly host: Host;
  readonly maxBytes: number;
  readonly callId: string | undefined;
  readonly signal: AbortSignal | undefined;
}

interface ToolParts<F extends Fields> {
  readonly name: TaskToolName;
  readonly description: string;
  readonly fields: F;
  /** The tool changes nothing: while the store accepts no writes it answers all the same (D1). */
  readonly isRead?: boolean | undefined;
  readonly run: (input: Taken<F>, calling: Calling) => Result | Promise<Result>;
}

/** The parts that the tools of one set have in common. */
export interface Setting {
  /** Asked at each call: inside a task of a named session the loop is that task's. */
  readonly hostOf: () => Host;
  readonly tools: ToolSet;
  /** The most bytes of one result. */
  readonly maxBytes: number;
}

export function taskTool<F extends Fields>(parts: ToolParts<F>, { hostOf, tools, maxBytes }: Setting): TaskTool {
  const { name, description, fields, isRead = false, run } = parts;
  const input = toolInput(fields);
  const answer = async (given: unknown, calling: Calling): Promise<Result> => {
    const taken = input.take(given);
    if (taken.issues === undefined) return run(taken.value, calling);
    throw new Refused(
      `Bad input: ${taken.issues.map(({ message }) => message).join("; ")}`,
      "Nothing was done. Correct the input and call again",
    );
  };
  return Object.freeze({
    name,
    description: visible(description),
    inputSchema: Object.freeze({ "~standard": input["~standard"], toJSON: () => input.toJSON() }),
    async execute(given: unknown, call: TaskToolCall = {}): Promise<Json> {
      const { callId, signal } = call;
      checkSignal("signal", signal);
      throwIfAborted(signal);
      const host = hostOf();
      const { core } = host;
      if (core.isClosed) throw new ManagerClosedError(`${name} does nothing any more`);
      const calling = { host, maxBytes, callId: callId === "" ? undefined : callId, signal };
      let result: Result;
      // A read and a refusal change nothing: while the store accepts no writes they are given as they are.
      let isChange = !isRead;
      try {
        result = await answer(given, calling);
      } catch (error) {
        if (signal?.aborted) throw error;
        isChange = false;
        result = refusalFor(error, tools, maxBytes);
        // It tells of nothing that is decided, and of the store that would be waited for.
        if (isErrandError(error, "STORE_UNAVAILABLE") || error instanceof Unstored) return visibleJson(result);
      }
      // §12: the one way out to a model, whichever tool it is.
      const shown = visibleJson(result);
      const late = () => ({
        value: isChange ? visibleJson(refusalFor(new Unstored(core.committer?.failure), tools, maxBytes)) : shown,
      });
      const limit = { ms: storeMs(core), late };
      return core.waits.answer(undefined, () => shown, { needs: core.loop.seq, signal, limit });
    },
  });
}

/** How long a tool waits for the store, which may have stopped answering: not at all for one that fails (D1). */
export function storeMs({ committer }: Host["core"]): number {
  return committer?.failure === undefined ? STORE_MS : 0;
}
const STORE_MS = 5_000;

/** The effect of the call is decided, and the store does not take it. */
export class Unstored extends Refused {
  constructor(failure: Error | undefined) {
    super(
      `The store accepts no writes now: ${failure === undefined ? `it has not answered for ${STORE_MS} ms` : failure.message}`,
      "The call has taken effect, and is stored as soon as the store accepts writes. A crash before that undoes it. Try reading again later",
    );
  }
}
