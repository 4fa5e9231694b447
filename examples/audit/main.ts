// The command: wires the audit to the terminal, turns Ctrl-C into a cancel and findings into an exit code.
//
//   0 clean · 1 something failed, was denied or timed out · 2 bad options · 130 cancelled by Ctrl-C

import type { InboxRequest } from "errand";

import { answerRequests, openManager, startAudit } from "./audit.js";
import { openKeyboard } from "./keyboard.js";
import { HELP, readOptions } from "./options.js";
import { judge, type Verdict } from "./policy.js";
import { rootMessage } from "./printable.js";
import { formatReport, makeReport } from "./report.js";
import { summaryKind } from "./summary.js";
import { showLines, showTree } from "./tree-view.js";

const SUMMARY_BUDGET = { tokens: 100_000 };

const options = await readOptions(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`${error instanceof Error ? error.message : String(error)}\nTry --help.`);
  process.exit(2);
});
if (options === "help") {
  console.log(HELP);
  process.exit(0);
}
const { project, policy, flag } = options;
const screen = options.json ? process.stderr : process.stdout;
const interactive = screen.isTTY && process.stdin.isTTY;

const manager = await openManager(options.concurrency, options.store).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(2);
});
const session = manager.session("audit");
const lead = startAudit(session, project, options.timeoutMs);

let interrupted = false;
process.on("SIGINT", () => {
  if (interrupted) process.exit(130); // Asked twice: without the cleanup, then.
  interrupted = true;
  void session.cancelAll(undefined, "Ctrl-C");
});
process.stdout.on("error", () => process.emit("SIGINT")); // The reader has gone, as in `npm start | head`.

const over = new AbortController();
const keyboard = interactive ? openKeyboard(process.stdin) : undefined;
const answering = [answerRequests(manager.inbox, decide, over.signal)];
if (keyboard !== undefined) {
  const askPerson = (request: InboxRequest) => (decide(request) ? undefined : keyboard.ask(over.signal));
  answering.push(answerRequests(manager.inbox, askPerson, over.signal));
}
const hide = screen.isTTY ? showTree(manager, lead.id, screen) : showLines(manager, screen);

await lead.outcome(); // However it ended, Ctrl-C included: by now every task has wound down.
over.abort();
await Promise.allSettled(answering);
keyboard?.close();
hide();

const report = await makeReport(manager, session, lead, project);
if (options.model !== undefined && report.status === "complete") {
  const { model } = options;
  const { status, totals, decisions, failed } = report;
  const prompt = JSON.stringify({ project, status, totals, decisions, failed });
  const kind = summaryKind(model, session.tools({ only: ["list_tasks", "get_task"] }));
  const summary = await manager.spawn(kind, { input: { prompt }, title: "summary", budget: SUMMARY_BUDGET }).outcome();
  if (summary.status === "succeeded") report.summary = summary.value;
  else {
    const why = summary.status === "failed" ? rootMessage(summary.error) : summary.reason;
    console.error(`No summary from ${model.name} at ${model.baseUrl}: ${why}`);
  }
}
await manager.close();
console.log(options.json ? JSON.stringify(report, undefined, 2) : `\n${formatReport(report)}`);
process.exitCode = interrupted ? 130 : report.clean ? 0 : 1;

/** Everything that needs no person; `undefined` leaves a request to the keyboard. */
function decide({ key = "" }: InboxRequest): Verdict | undefined {
  const verdict = policy && judge(policy, key);
  if (verdict !== undefined) return verdict;
  if (flag !== undefined) return { approved: flag === "--approve", by: flag, reason: "denied by --deny" };
  if (interactive) return undefined;
  const reason = "there is no terminal to ask on: run it on a terminal, or pass --approve, --deny or --policy";
  return { approved: false, by: "unattended run", reason };
}
