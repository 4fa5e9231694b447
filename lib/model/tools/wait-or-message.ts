// Wait or message: a message for the task whose loop waits in a tool ends that wait early.
//
// Owns the number of messages that each task's loop knows of. The message stays unread in the mailbox. Each message
// ends a wait once, because otherwise a loop that reads no messages could never wait again.

import { mailboxOf } from "../../core/inbox/messages.js";
import type { Mailbox } from "../../core/live/mailbox.js";
import type { Task } from "../../core/live/task.js";
import type { AwaitOptions } from "../../core/outcomes/await-tasks.js";
import { follow, reasonOf } from "../../core/values/abort-signal.js";
import { waiterOf } from "../../core/waits/ambient.js";
import { type Caller, wait } from "./caller.js";

type WaitResult = Awaited<ReturnType<typeof wait>>;

/**
 * Waits like `wait`. Resolves with `"message"` when the task of the loop has an unread message that ended no wait yet.
 */
export async function waitOrMessage(
  caller: Caller,
  tasks: readonly Task[],
  options: AwaitOptions,
): Promise<WaitResult | "message"> {
  const { signal } = options;
  const task = waiterOf(caller.context)?.task;
  if (task === undefined || signal?.aborted) return wait(caller, tasks, options);
  const mailbox = mailboxOf(task);
  if (mailbox.hasUnread && takeNews(task, mailbox)) return "message";
  const stop = new AbortController();
  const unfollow = signal === undefined ? undefined : follow(signal, () => stop.abort(reasonOf(signal)));
  const lookout = { resolve: () => stop.abort(MESSAGE_CAME) };
  mailbox.lookouts.add(lookout);
  try {
    return await wait(caller, tasks, { ...options, signal: stop.signal });
  } catch (error) {
    if (error !== MESSAGE_CAME) throw error;
    takeNews(task, mailbox);
    return "message";
  } finally {
    mailbox.lookouts.delete(lookout);
    unfollow?.();
  }
}
const MESSAGE_CAME = Symbol("message came");

/** The number of inbound messages when a message last ended a wait of the task's loop. */
const reported = new WeakMap<Task, number>();

/** Whether messages have arrived that ended no wait. Marks them as reported. */
function takeNews(task: Task, mailbox: Mailbox): boolean {
  const { inbound } = mailbox;
  const isMore = inbound > (reported.get(task) ?? 0);
  reported.set(task, inbound);
  return isMore;
}
