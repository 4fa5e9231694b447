// Notice batch: the pending notices of one loop, as values for a program and as text for a prompt.
//
// Owns no state: the notices are in the core, and `notice-choice.ts` chooses what one batch contains. A batch is
// acknowledged as a whole (N1).

import type { Core } from "../core/core.js";
import type { Attempt, Task } from "../core/live/task.js";
import type { NoticeOwner } from "../core/notices/notice-owner.js";
import type { NoticeOptions } from "../core/notices/notice-reading.js";
import type { ReadyNotices, TaskNotice } from "../core/notices/ready-notices.js";
import { outcomeRead } from "../core/notices/unread.js";
import { outcomeOf } from "../core/outcomes/await-one.js";
import type { Happening, Notice } from "../core/task/notice.js";
import type { TaskOutcome } from "../core/task/record.js";
import { checkMs, checkOptions, checkSignal } from "../core/values/checks.js";
import { handled } from "../core/values/handled.js";
import { chooseNotices, type DescribeNotice, type NoticeChoice } from "../model/prompt/notice-choice.js";
import { describeNotice } from "../model/prompt/notice-text.js";
import { knownTools } from "../model/tools/known-tools.js";

/**
 * One batch of the notices that a loop has not acknowledged: as many as one text can hold. The other notices are the
 * next batch, which is available at once.
 */
export interface NoticeBatch {
  /**
   * The notices as text for a prompt: at most 8 000 characters, with the texts of tasks escaped; `""` when there are
   * none. When not all notices fit, questions, ends without success and messages come first, each in full. Results
   * follow, shortened. Results that still do not fit are counted by kind, with the call of `list_tasks` that lists
   * exactly these until the next batch is delivered. Custom events come last.
   */
  readonly text: string;
  /** The notices that `text` shows or counts, oldest first; empty when `timeoutMs` has passed. */
  readonly notices: readonly Notice[];
  /**
   * Acknowledges `notices` and resolves when that is stored. Call it when the loop no longer needs the batch, for
   * example when `text` is in its messages. Unacknowledged notices are delivered again by the next `nextNotices`, also
   * after a restart. A second call has no further effect. Rejects with `ManagerClosedError`. In a task whose function
   * is over it rejects with `ScopeCancelledError`, or with `TaskTerminatedError` after a return.
   */
  ack(): Promise<void>;
}

/** Waits for the next batch of `owner` (`Session.nextNotices`). `context`: the attempt whose `ctx` made the call. */
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
  const next = core.notices.next(owner, context, options, (ready) => choose(core, owner, ready));
  return handled(next.then((chosen) => chosen && toBatch(core, context, chosen)));
}

function choose(core: Core, owner: NoticeOwner, ready: ReadyNotices): NoticeChoice & Pick<NoticeBatch, "notices"> {
  const describe: DescribeNotice = ({ task, what }, most) => describeNotice(task, atPresent(core, what), most);
  const chosen = chooseNotices(ready, describe, knownTools(core, owner));
  return { ...chosen, notices: Object.freeze(chosen.covered.map((notice) => toNotice(core, notice))) };
}

function toBatch(core: Core, reader: Attempt | undefined, chosen: ReturnType<typeof choose>): NoticeBatch {
  const { text, notices, covered } = chosen;
  return Object.freeze({ text, notices, ack: () => handled(acknowledged(core, reader, covered)) });
}

async function acknowledged(core: Core, reader: Attempt | undefined, covered: readonly TaskNotice[]): Promise<void> {
  // A function that is over acknowledges nothing: its notices belong to its ancestor by now (S2, N3).
  if (reader !== undefined && reader.phase !== "open") {
    core.loop.droppedWrites++;
    await core.waits.dropped(reader);
  }
  core.notices.acknowledge(covered);
  await core.loop.tell(undefined);
}

/** The notice as it is at present: its question may have been answered since. */
function atPresent(core: Core, what: Happening): Happening {
  if (what.type !== "request.opened") return what;
  return { type: what.type, request: core.requests.get(what.request.id) ?? what.request };
}

function toNotice(core: Core, { id, task, at, what: happened }: TaskNotice): Notice {
  const what = atPresent(core, happened);
  const about = { id, taskId: task.id, at };
  // The text is made when it is read: a batch may count thousands of notices, and a program reads few of them.
  let text: string | undefined;
  const readText = (): string => (text ??= describeNotice(task, what));
  if (what.type === "message.sent" || what.type === "custom" || what.type === "request.opened") {
    return Object.freeze({
      ...about,
      ...what,
      get text() {
        return readText();
      },
    });
  }
  return Object.freeze({
    ...about,
    type: what.type,
    outcome: readOutcome(task),
    get text() {
      return readText();
    },
  });
}

/** The outcome of a task that a notice reports: the caller reads it with the notice. */
function readOutcome(task: Task): TaskOutcome {
  outcomeRead(task);
  return outcomeOf(task);
}
