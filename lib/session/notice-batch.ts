// Notice batch: what a loop is given of its notices: for a program as values, for a prompt as text.

import type { Core } from "../core/core.js";
import type { Attempt, Task } from "../core/live/task.js";
import { outcomeRead } from "../core/live/unread.js";
import type { NoticeOwner } from "../core/notices/notice-owner.js";
import type { NoticeOptions } from "../core/notices/notice-reading.js";
import type { ReadyNotices, TaskNotice } from "../core/notices/ready-notices.js";
import type { Happening, Notice } from "../core/task/notice.js";
import type { TaskOutcome } from "../core/task/record.js";
import { checkMs, checkOptions, checkSignal } from "../core/values/checks.js";
import { handled } from "../core/values/handled.js";
import { chooseNotices, type NoticeChoice, type Say } from "../model/prompt/notice-choice.js";
import { noticeInWords } from "../model/prompt/notice-text.js";
import { toolsGiven } from "../model/tools/known-tools.js";

/** One batch: as many of the notices that a loop has not acknowledged as one text has room for. The others are the next batch, which is there at once. */
export interface NoticeBatch {
  /**
   * The notices, ready for a prompt: at most 8 000 characters, escaped, whatever the tasks say; `""` when there are none. When not all fit,
   * questions, failures and messages come first and in full. Results follow, shortened to a line each; those that still do not fit are counted
   * by kind, with the call of `list_tasks` that lists exactly these until the next batch is delivered. Custom events come last.
   */
  readonly text: string;
  /** Exactly the notices that `text` shows or counts, oldest first; empty when `timeoutMs` passed. */
  readonly notices: readonly Notice[];
  /**
   * Acknowledges exactly `notices`: call it once the loop has what it needs of them, e.g. when the text is in its messages. Without it they are
   * delivered again at the next `nextNotices`, also after a restart. Resolves when stored. A second call changes nothing. Rejects with
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
  const next = core.notices.next(owner, context, options, (ready) => choose(core, owner, ready));
  return handled(next.then((chosen) => chosen && toBatch(core, context, chosen)));
}

function choose(core: Core, owner: NoticeOwner, ready: ReadyNotices): NoticeChoice & Pick<NoticeBatch, "notices"> {
  const say: Say = ({ task, what }, most) => noticeInWords(task, byNow(core, what), most);
  const chosen = chooseNotices(ready, say, toolsGiven(core, owner));
  return { ...chosen, notices: Object.freeze(chosen.covered.map((notice) => toNotice(core, notice))) };
}

function toBatch(core: Core, reader: Attempt | undefined, chosen: ReturnType<typeof choose>): NoticeBatch {
  const { text, notices, covered } = chosen;
  return Object.freeze({ text, notices, ack: () => handled(acknowledged(core, reader, covered)) });
}

async function acknowledged(core: Core, reader: Attempt | undefined, covered: readonly TaskNotice[]): Promise<void> {
  // S2: of a function that is over nothing is heard; what it had is its ancestor's.
  if (reader !== undefined && reader.phase !== "open") {
    core.loop.droppedWrites++;
    await core.waits.dropped(reader);
  }
  core.notices.acknowledge(covered);
  await core.loop.tell(undefined);
}

/** A question may have been answered since. */
function byNow(core: Core, what: Happening): Happening {
  if (what.type !== "request.opened") return what;
  return { type: what.type, request: core.requests.get(what.request.id) ?? what.request };
}

function toNotice(core: Core, { id, task, at, what: happened }: TaskNotice): Notice {
  const what = byNow(core, happened);
  const about = { id, taskId: task.id, at };
  // A text may count thousands, of which few are read one by one.
  let words: string | undefined;
  const inWords = (): string => (words ??= noticeInWords(task, what));
  if (what.type === "message.sent" || what.type === "custom" || what.type === "request.opened") {
    return Object.freeze({
      ...about,
      ...what,
      get text() {
        return inWords();
      },
    });
  }
  return Object.freeze({
    ...about,
    type: what.type,
    outcome: outcomeOf(task),
    get text() {
      return inWords();
    },
  });
}

function outcomeOf(task: Task): TaskOutcome {
  const { id, state } = task;
  outcomeRead(task);
  if (state.outcome === undefined) throw new TypeError(`Task ${id} has not ended`);
  return state.outcome;
}
