// What one sees while the audit runs: a live tree on a terminal, a line per ended package elsewhere.
//
// Only looks: it reads the manager's tree and listens to its events. `on()` never keeps a task from ending.

import type { WriteStream } from "node:tty";

import type { InboxRequest, TaskManager, TaskRecord, TaskTree } from "errand";
import { createLogUpdate } from "log-update";

import { printable, rootMessage } from "./printable.js";

const FRAME_MS = 100;
const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/** Draws until the returned function is called, which wipes the tree away. */
export function showTree(manager: TaskManager, leadId: string, terminal: WriteStream): () => void {
  const draw = createLogUpdate(terminal);
  const startedAt = Date.now();
  const frame = (): void => {
    const [lead] = manager.tree(leadId);
    if (lead === undefined) return;
    const seconds = Math.floor((Date.now() - startedAt) / 1000);
    const size = { rows: terminal.rows || 24, columns: terminal.columns || 80 }; // Some terminals claim to have none.
    draw(treeLines(lead, manager.inbox.list(), seconds, size).join("\n"));
  };
  frame();
  const timer = setInterval(frame, FRAME_MS);
  return () => {
    clearInterval(timer);
    draw.clear();
    draw.done();
  };
}

/** What fits on a screen of this size: how far the audit is, the packages that were begun, and the oldest question in full. */
export function treeLines(
  lead: TaskTree,
  requests: readonly InboxRequest[],
  seconds: number,
  { rows, columns }: { readonly rows: number; readonly columns: number },
): string[] {
  const { current = 0, total = 0 } = lead.record.progress ?? {};
  const head = `Auditing ${titleOf(lead.record)}   ${current} of ${total} packages   ${seconds} s   Ctrl-C stops`;
  const tree = lead.children
    .filter(isLive)
    .flatMap(({ record, children }) => [
      lineOf(record),
      ...children
        .filter(isLive)
        .map((child, index, all) => `${index + 1 < all.length ? "├" : "└"} ${lineOf(child.record)}`),
    ]);
  const [asked, ...waiting] = requests;
  const question =
    asked === undefined
      ? []
      : ["", ...wrap(`? ${asked.question}`, columns), `  y yes   n no   ${waiting.length} more to answer`];
  const room = Math.max(1, rows - question.length - 3);
  const more = tree.length > room ? [`… ${tree.length - room} more`] : [];
  return [head, ...tree.slice(0, room), ...more, ...question].map((line) => printable(line).slice(0, columns));
}

/** One line for each package that ends, and for what is asked and answered. */
export function showLines(manager: TaskManager, stream: NodeJS.WritableStream): () => void {
  const print = (line: string): void => void stream.write(`${printable(line).trimEnd()}\n`);
  const ended = ({ taskId }: { taskId: string }): void => {
    const record = manager.get(taskId)?.record;
    if (record?.startedAt === undefined || !record.tags.includes("package")) return;
    const { status, error, reason, summary } = record;
    print(
      `${status.padEnd(9)}  ${titleOf(record)}  ${error === undefined ? (reason ?? summary ?? "") : rootMessage(error)}`,
    );
  };
  const answered = ({ request: { status, question, by, reason } }: { request: InboxRequest }): void => {
    print(`${status.padEnd(9)}  ${question}  by ${by}${reason === undefined ? "" : `: ${reason}`}`);
  };
  const offs = [
    manager.on("task.succeeded", ended),
    manager.on("task.failed", ended),
    manager.on("task.cancelled", ended),
    manager.on("request.opened", ({ request }) => print(`${"asks".padEnd(9)}  ${request.question}`)),
    manager.on("request.answered", answered),
    manager.on("request.rejected", answered),
  ];
  return () => {
    for (const off of offs) off();
  };
}

/** Begun and not ended: the thousands in line would only hide them. A child is shown from its spawn on. */
function isLive({ record }: TaskTree): boolean {
  return record.finishedAt === undefined && (record.startedAt !== undefined || record.depth > 1);
}

function lineOf(record: TaskRecord): string {
  const { status, blockedOn, progress } = record;
  const spinner = SPINNER.charAt(Math.floor(Date.now() / FRAME_MS) % SPINNER.length);
  const mark = blockedOn.some(({ on }) => on === "input") ? "?" : status === "queued" ? "·" : spinner;
  const how =
    progress === undefined ? "" : `   ${progress.current ?? 0}/${progress.total ?? "?"} ${progress.unit ?? ""}`;
  return `${mark} ${titleOf(record)}${how}`;
}

function titleOf(record: TaskRecord): string {
  return record.title ?? record.id;
}

function wrap(text: string, columns: number): string[] {
  return Array.from({ length: Math.ceil(text.length / columns) }, (_, line) =>
    text.slice(line * columns, (line + 1) * columns),
  );
}
