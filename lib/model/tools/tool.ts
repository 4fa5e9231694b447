// Tool: the form of a tool for clients, and the common part of the six tools.
//
// Checks the input, finds the calling loop, turns a refusal into a result, and returns a result once it is stored (D1).

import { isErrandError, ManagerClosedError } from "../../core/task/errors.js";
import { throwIfAborted } from "../../core/values/abort-signal.js";
import { boundedList } from "../../core/values/bounded-list.js";
import { checkOptions, checkSignal, checkType } from "../../core/values/checks.js";
import type { Json } from "../../core/values/json.js";
import type { WaitOptions } from "../../core/waits/waits.js";
import type { TaskToolName, ToolSet } from "../prompt/tool-names.js";
import { visible, visibleJson } from "../prompt/visible.js";
import type { Caller } from "./caller.js";
import type { Result } from "./fit-to-bytes.js";
import { refusalFor, ToolRefusal } from "./refusals.js";
import { type Fields, type FieldValues, type ToolInputSchema, toolInput } from "./tool-schema.js";

/** Options of one execution of a tool. */
export interface TaskToolCall extends WaitOptions {
  /** The id of the tool call that the model made: `spawn_task` starts one task for it, however often it is repeated. */
  callId?: string | undefined;
}

/** A tool for a model, for any client that supports JSON Schema. */
export interface TaskTool {
  /** The name by which the model calls the tool. */
  readonly name: TaskToolName;
  /** The description for the model. */
  readonly description: string;
  /**
   * The input schema. Its `~standard` object validates synchronously and makes JSON Schema (`draft-2020-12` or
   * `draft-07`; a `TypeError` for any other target).
   */
  readonly inputSchema: ToolInputSchema;
  /**
   * Executes the tool and resolves with a plain JSON object of at most `maxResultBytes` bytes. Bad input and refusals
   * are results too: `{ error, hint }`, where `error` says what happened and `hint` what to do next. No other result
   * has an `error`: the failure of a task is `failure`, an object `{ code, message }`. Texts are shown without
   * invisible characters; the record and `result()` keep them.
   *
   * Rejects only when `signal` aborts (with its reason), when the task of the calling loop is stopped
   * (`TaskCancelledError`), and when the manager is closed (`ManagerClosedError`). A task that it has started or
   * stopped before stays started or stopped.
   */
  execute(input: unknown, call?: TaskToolCall): Promise<Json>;
}

/** The context of one execution, besides the input. */
export interface Execution {
  /** The loop for which the tool acts. */
  readonly caller: Caller;
  /** The most bytes of the result. */
  readonly maxBytes: number;
  /** The id of the model's tool call; `undefined` without one. */
  readonly callId: string | undefined;
  /** The signal of the client; `undefined` without one. */
  readonly signal: AbortSignal | undefined;
}

interface ToolParts<F extends Fields> {
  readonly name: TaskToolName;
  readonly description: string;
  readonly fields: F;
  /** The tool changes nothing, so it returns its result even while the store accepts no writes (D1). */
  readonly isRead?: boolean | undefined;
  readonly run: (input: FieldValues<F>, execution: Execution) => Result | Promise<Result>;
}

/** The parts that the tools of one set have in common. */
export interface Setting {
  /** The calling loop of one execution: inside a task of a named session it is the loop of that task. */
  readonly callerOf: () => Caller;
  /** The tools of the set. */
  readonly tools: ToolSet;
  /** The most bytes of one result. */
  readonly maxBytes: number;
}

/** Makes a tool from its parts. */
export function taskTool<F extends Fields>(parts: ToolParts<F>, { callerOf, tools, maxBytes }: Setting): TaskTool {
  const { name, description, fields, isRead = false, run } = parts;
  const input = toolInput(fields);
  const answer = async (given: unknown, execution: Execution): Promise<Result> => {
    const checked = input.check(given);
    if (checked.issues === undefined) return run(checked.value, execution);
    throw new ToolRefusal(
      `Bad input: ${boundedList(
        checked.issues.map(({ message }) => message),
        "; ",
      )}`,
      "Nothing was done. Correct the input and call again",
    );
  };
  return Object.freeze({
    name,
    description: visible(description),
    inputSchema: Object.freeze({ "~standard": input["~standard"], toJSON: () => input.toJSON() }),
    async execute(given: unknown, call: TaskToolCall = {}): Promise<Json> {
      checkOptions(name, call, "callId", "signal");
      const { callId, signal } = call;
      checkType("callId", callId ?? "", "string");
      checkSignal("signal", signal);
      throwIfAborted(signal);
      const caller = callerOf();
      const { core } = caller;
      if (core.isClosed) throw new ManagerClosedError(`${name} does nothing`);
      const execution = { caller, maxBytes, callId: callId === "" ? undefined : callId, signal };
      let result: Result;
      // A read and a refusal change nothing, so they are returned even while the store accepts no writes (D1).
      let isChange = !isRead;
      try {
        result = await answer(given, execution);
      } catch (error) {
        if (signal?.aborted) throw error;
        isChange = false;
        result = refusalFor(error, tools, maxBytes);
        // The refusal reports no decided fact, and its subject is the store that a wait would need.
        if (isErrandError(error, "STORE_UNAVAILABLE") || error instanceof UnstoredRefusal) return visibleJson(result);
      }
      // Every result of every tool passes here, so no invisible text reaches a model (§12).
      const shown = visibleJson(result);
      const late = () => ({
        value: isChange
          ? visibleJson(refusalFor(new UnstoredRefusal(core.loop.committer?.failure), tools, maxBytes))
          : shown,
      });
      const limit = { ms: storeMs(core), late };
      return core.waits.answer(undefined, () => shown, { needs: core.loop.seq, signal, limit });
    },
  });
}

/** Milliseconds that a tool waits for the store; 0 when the store has failed (D1). */
export function storeMs({ loop: { committer } }: Caller["core"]): number {
  return committer?.failure === undefined ? STORE_MS : 0;
}
const STORE_MS = 5_000;

/** The refusal of a call whose effect is decided but not stored. */
export class UnstoredRefusal extends ToolRefusal {
  constructor(failure: Error | undefined) {
    super(
      `The store accepts no writes now: ${failure === undefined ? `it has not answered for ${STORE_MS} ms` : failure.message}`,
      "The call has taken effect, and is stored as soon as the store accepts writes. A crash before that undoes it. Try reading again later",
    );
  }
}
