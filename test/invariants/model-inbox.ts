// Model inbox: questions and messages: who asks, who receives, and what each is given (§7, §8).
//
// A1, A3 and A4 are kept here, and that a request ends with the function that asked (S4).

import { type ModelRequest, type ModelTask, type ModelWait, no, ok, type Result } from "./model-state.js";
import { ModelTasks, ownerOf } from "./model-tasks.js";
import type { AskOptions } from "./steps.js";

export abstract class ModelInbox extends ModelTasks {
  // ── messages ─────────────────────────────────────────────────────────────

  protected receive(wait: ModelWait, of: ModelTask): void {
    if (this.isRefusedThrough(wait, of)) return;
    const { timeoutMs } = wait.options;
    const unread = of.unread.shift();
    if (unread !== undefined || timeoutMs === 0) this.answer(wait, ok(unread ?? "nothing"));
    else if (this.begin(wait)) {
      this.receivers.push(wait);
      if (timeoutMs !== undefined) this.timer(wait, "wait", timeoutMs, () => this.decide(wait, ok("nothing")));
    }
  }

  protected closeMailbox(task: ModelTask, result: Result): void {
    for (const wait of this.receivers) if (wait.mailbox === task) this.decide(wait, result);
  }

  // ── requests ─────────────────────────────────────────────────────────────

  protected ask(wait: ModelWait, task: ModelTask, options: AskOptions): void {
    if (this.isRefusedThrough(wait, task)) return;
    const { key, question = "which?", timeoutMs, onTimeout } = options;
    const known = key === undefined ? undefined : this.requests.find((each) => each.task === task && each.key === key);
    if (known !== undefined && known.question !== question) return this.answer(wait, no("ID_CONFLICT")); // A3
    const request: ModelRequest = known ?? { task, key, question, status: "open", askers: [], seenBy: new Set() };
    wait.request = request;
    if (known === undefined) {
      this.requests.push(request);
      this.fact(`request ${this.requests.length} open`);
      if (timeoutMs !== undefined) this.timer(request, "expiry", timeoutMs, () => this.close(request, "expired"));
    }
    if (request.status !== "open") return this.answer(wait, answerOf(request.status, onTimeout));
    this.begin(wait);
    request.askers.push(wait);
    if (known !== undefined) return;
    for (const watcher of [...this.watchers]) {
      if (
        "ended" in watcher ||
        watcher.stopping !== undefined ||
        !watcher.options.stopOnRequest ||
        !this.concerns(watcher, request)
      )
        continue;
      request.seenBy.add(ownerOf(watcher));
      this.decide(watcher, watcher.give("request"));
    }
  }

  /** A1: the first closing wins. */
  protected close(request: ModelRequest, status: Exclude<ModelRequest["status"], "open">): void {
    if (request.status !== "open") return;
    request.status = status;
    this.fact(`request ${this.requests.indexOf(request) + 1} ${status}`);
    this.timers = this.timers.filter(({ of }) => of !== request);
    for (const asker of [...request.askers]) this.decide(asker, answerOf(status, asker.options.onTimeout));
  }
}

/** What an asker is given for a request that is not open any more (A4). */
function answerOf(status: ModelRequest["status"], onTimeout: AskOptions["onTimeout"]): Result {
  if (status === "answered") return ok("yes");
  if (status === "rejected") return no("REQUEST_REJECTED no");
  if (status === "withdrawn") return no("SCOPE_CANCELLED");
  return onTimeout === "default" ? ok("default") : no("REQUEST_EXPIRED");
}
