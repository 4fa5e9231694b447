// errand ls: prints the task trees, the open questions, and a count of tasks by status.

import { type InboxRequest, type StoreView, type TaskRecord, viewStore } from "errand";
import { fileStore } from "errand/stores/file";
import type { Command } from "./command.js";
import { relative } from "./duration.js";
import { notesOf, nothingStored } from "./journal-notes.js";
import { aligned, type Line, type Row } from "./line.js";
import { idWord } from "./printable.js";
import { countsOf, describeCounts } from "./status.js";
import { TIME_CELL, taskRow } from "./task-row.js";
import { count, describeRequest, labelOf, phrase, type Setting } from "./task-text.js";
import type { Terminal } from "./terminal.js";
import { type Branch, branchesOf } from "./tree.js";

/** The command `errand ls`. */
export const ls: Command = {
  name: "ls",
  needs: ["DIR"],
  takes: ["status", "all", "json"],
  help: `errand ls DIR [--status S] [--all] [--json]

Lists the tasks in the journal of DIR: what lives, and of what has ended the
newest 20 under each parent. Then the open questions.

  --status S   only tasks of this status, and what they hang on; repeat it, or
               separate by commas: queued, running, blocked, succeeded, failed,
               cancelled, interrupted
  --all        everything that has ended, too
  --json       one JSON document:
               { directory, seq, counts, tasks, hidden, requests, torn? }
  --help       print this

Each line has the status, the id, the kind, name and title, how long it has
taken, and what there is to say: what it waits for, why it ended, what it used.

Exit code: 0, or 1 when there is no journal to be read.`,

  async run({ directory, statuses, isAll, isJson }, terminal) {
    const view = await viewStore(fileStore(directory));
    const records = view.list();
    const fits = (record: TaskRecord): boolean => statuses?.includes(record.status) ?? true;
    const branches = branchesOf(view.tree(), { isAll, fits });
    const shown = new Set(branches.flatMap(({ shows }) => (typeof shows === "number" ? [] : shows)));
    const ids = new Set([...shown].filter(fits).map(({ id }) => id));
    const requests = view.requests().filter(({ taskId }) => ids.has(taskId));
    if (isJson) {
      terminal.printJson({
        directory,
        seq: view.seq,
        counts: Object.fromEntries(countsOf(records)),
        tasks: records.filter(({ id }) => ids.has(id)),
        hidden: branches.reduce((sum, { shows }) => sum + (typeof shows === "number" ? shows : 0), 0),
        requests,
        ...(view.torn === undefined ? {} : { torn: view.torn }),
      });
    } else if (view.seq === 0) terminal.print([{ prose: nothingStored(directory) }]);
    else terminal.print(pageOf(view, branches, requests, terminal));
    return 0;
  },
};

function pageOf(
  view: StoreView,
  branches: readonly Branch[],
  requests: readonly InboxRequest[],
  { now, columns }: Terminal,
): Line[] {
  const setting: Setting = { now: now(), question: questionsOf(view) };
  const records = view.list();
  const counts = `${count(records.length, "task")}${records.length === 0 ? "" : `: ${describeCounts(records)}`}`;
  return [
    ...treeLines(branches, setting, columns),
    ...(branches.length > 0 ? [[]] : []),
    ...questionLines(view, requests, setting.now),
    ...notesOf(view).map((note) => ({ prose: note, style: "waiting" as const })),
    { prose: counts, style: "strong" },
  ];
}

function questionsOf(view: StoreView): Setting["question"] {
  const questions = new Map(view.requests().map(({ id, question }) => [id, question]));
  return (id) => questions.get(id);
}

function treeLines(branches: readonly Branch[], setting: Setting, columns: number | undefined): Line[] {
  const rows = aligned(
    branches.flatMap(({ twigs, shows }) =>
      typeof shows === "number" ? [] : [taskRow(twigs, shows, setting, columns)],
    ),
    [TIME_CELL],
  );
  let row = 0;
  return branches.map(({ twigs, shows }) => {
    if (typeof shows !== "number") return rows[row++] ?? [];
    return [{ text: `${twigs}… and ${shows} more that ended: --all shows them`, style: "faint" }];
  });
}

function questionLines(view: StoreView, requests: readonly InboxRequest[], now: number): Line[] {
  if (requests.length === 0) return [];
  const tasks = new Map(view.list().map((record) => [record.id, record]));
  const rows = requests.map((request): Row => {
    const task = tasks.get(request.taskId);
    const label = task === undefined ? "" : labelOf(task);
    return [
      `  ${idWord(request.id)}`,
      `${idWord(request.taskId)} ${label}`.trimEnd(),
      { text: relative(request.createdAt, now), style: "faint" },
      `${phrase(request.question)} (${describeRequest(request, now)})`,
    ];
  });
  return [[{ text: count(requests.length, "open question"), style: "strong" }], ...aligned(rows), []];
}
