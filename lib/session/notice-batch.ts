// Notice batch: what a loop is given of its notices: for a program as values, for a prompt as text.

import type { Core } from "../core/core.js";
import type { Notice } from "../core/notice.js";
import type { NoticeOwner } from "../core/notice-owner.js";
import type { NoticeOptions, TaskNotice } from "../core/notices.js";
import { checkMs, checkOptions, checkSignal } from "../core/options.js";
import { handled } from "../core/pending-wait.js";
import type { TaskOutcome } from "../core/record.js";
import type { Attempt, Task } from "../core/task.js";
import { outcomeRead } from "../core/unread.js";
import { batchInWords, noticeInWords } from "./notice-words.js";
import { toolsGiven } from "./tools/given.js";

export interface NoticeBatch {
  /** All of them, ready for a prompt: bounded and escaped, whatever their tasks say; `""` when there are none. */
  readonly text: string;
  /** Oldest first; empty when `timeoutMs` passed. */
  readonly notices: readonly Notice[];
  /**
   * Call it once the loop has what it needs of them, e.g. when the text is in its messages. Not called, the batch comes again at the next
   * `nextNotices`, also after a restart. Resolves when stored. A second call changes nothing. Rejects with
   * `ManagerClosedError`, or with `ScopeCancelledError` or `TaskTerminatedError` for a batch of a task's function that is over.
   */
  ack(): Promise<void>;
}

/** See `Session.nextNotices`. `context`: the attempt of the `ctx` the call came through. */
export function nextBatch(
  core: Core,
  owner: NoticeOwner,
  context: Attempt | undefined,
  options: NoticeOptions = {},
): Promise<NoticeBatch | undefined> {
  try {
    checkOptions("nextNotices", options, "timeoutMs", "coalesceMs", "signal");
    checkMs("timeoutMs", options.timeoutMs);
    checkMs("coalesceMs", options.coalesceMs);
    checkSignal("signal", options.signal);
  } catch (error) {
    return Promise.reject(error);
  }
  const next = core.notices.next(owner, context, options);
  return handled(next.then((notices) => notices && toBatch(core, owner, context, notices)));
}

function toBatch(
  core: Core,
  owner: NoticeOwner,
  reader: Attempt | undefined,
  pending: readonly TaskNotice[],
): NoticeBatch {
  const notices = Object.freeze(pending.map((notice) => toNotice(core, notice)));
  return Object.freeze({
    text: batchInWords(notices, toolsGiven(core, owner)),
    notices,
    ack: () => handled(acknowledged(core, reader, pending)),
  });
}

async function acknowledged(core: Core, reader: Attempt | undefined, pending: readonly TaskNotice[]): Promise<void> {
  // S2: of a function that is over nothing is heard any more; what it had is its ancestor's.
  if (reader !== undefined && reader.phase !== "open") {
    core.loop.droppedWrites++;
    await core.waits.dropped(reader);
  }
  core.notices.acknowledge(pending);
  await core.loop.tell(undefined);
}

function toNotice(core: Core, { id, task, at, what }: TaskNotice): Notice {
  const about = { id, taskId: task.id, at };
  switch (what.type) {
    case "message.sent":
    case "custom":
      return Object.freeze({ ...about, ...what, text: noticeInWords(task, what) });
    case "request.opened": {
      // As it is by now: it may have been answered since.
      const request = core.requests.get(what.request.id) ?? what.request;
      return Object.freeze({ ...about, type: what.type, request, text: noticeInWords(task, { ...what, request }) });
    }
    default: {
      const outcome = outcomeOf(task);
      return Object.freeze({ ...about, type: what.type, outcome, text: noticeInWords(task, what) });
    }
  }
}

function outcomeOf(task: Task): TaskOutcome {
  const { id, state } = task;
  outcomeRead(task);
  if (state.outcome === undefined) throw new TypeError(`Task ${id} has not ended`);
  return state.outcome;
}
