// Steer: a message for the task whose loop waits in a tool ends that wait early: somebody wants it to look up.
//
// The message stays where the loop reads it. Of each the loop is told once, or one that reads none could never wait again.

import { mailboxOf } from "../../core/inbox/messages.js";
import type { Mailbox } from "../../core/live/mailbox.js";
import type { Task } from "../../core/live/task.js";
import type { AwaitOptions } from "../../core/outcomes/await-tasks.js";
import { follow, reasonOf } from "../../core/values/abort-signal.js";
import { waiterOf } from "../../core/waits/ambient.js";
import { type Host, wait } from "./caller.js";

type Waited = Awaited<ReturnType<typeof wait>>;

/** As `wait`; `"message"` when there is a message that the loop has not read and was not told of. */
export async function waitUnlessSteered(
  host: Host,
  tasks: readonly Task[],
  options: AwaitOptions,
): Promise<Waited | "message"> {
  const { signal } = options;
  const steered = waiterOf(host.context)?.task;
  if (steered === undefined || signal?.aborted) return wait(host, tasks, options);
  const mailbox = mailboxOf(steered);
  if (mailbox.hasUnread && isNews(steered, mailbox)) return "message";
  const stop = new AbortController();
  const unfollow = signal === undefined ? undefined : follow(signal, () => stop.abort(reasonOf(signal)));
  const lookout = { resolve: () => stop.abort(STEERED) };
  mailbox.lookouts.add(lookout);
  try {
    return await wait(host, tasks, { ...options, signal: stop.signal });
  } catch (error) {
    if (error !== STEERED) throw error;
    isNews(steered, mailbox);
    return "message";
  } finally {
    mailbox.lookouts.delete(lookout);
    unfollow?.();
  }
}
const STEERED = Symbol("steered");

/** How many inbound messages there were when the loop was told last. */
const told = new WeakMap<Task, number>();

/** Whether there are more than it was told of; from now on it was. */
function isNews(task: Task, mailbox: Mailbox): boolean {
  const { inbound } = mailbox;
  const isMore = inbound > (told.get(task) ?? 0);
  told.set(task, inbound);
  return isMore;
}
