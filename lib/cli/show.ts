// errand show: prints one task: its record, questions, messages and last events.

import { type InboxRequest, type Message, type StoreView, type TaskEvent, type TaskRecord, viewStore } from "errand";
import { fileStore } from "errand/stores/file";
import type { Command } from "./command.js";
import { relative } from "./duration.js";
import { describeContent, describeEvent } from "./event-text.js";
import { findTask } from "./find-task.js";
import { notesOf } from "./journal-notes.js";
import { aligned, type Line, type Row } from "./line.js";
import { idWord } from "./printable.js";
import { recordLines } from "./record-page.js";
import { describeRequest, phrase, type Setting } from "./task-text.js";

const EVENTS_SHOWN = 20;

/** The command `errand show`. */
export const show: Command = {
  name: "show",
  needs: ["DIR", "ID"],
  takes: ["events", "json"],
  help: `errand show DIR ID [--events N] [--json]

Shows one task of the journal of DIR: its record, input and output, questions
with their answers, messages both ways, last events. ID is its id, the words at
its end (7 for task_ab12_7), or a beginning or an end that no other id has.

  --events N   how many of its last events (default ${EVENTS_SHOWN})
  --json       one JSON document:
               { directory, task, children, requests, messages, events }
  --help       print this

Exit code: 0, or 1 when there is no such task, or more than one.`,

  async run({ directory, id = "", events: limit = EVENTS_SHOWN, isJson }, terminal) {
    const view = await viewStore(fileStore(directory));
    const task = findTask(view, directory, id);
    const known: TaskDetails = {
      task,
      children: view.list({ parentId: task.id }),
      requests: requestsOf(view, task.id),
      messages: view.messages(task.id),
      events: await view.history(task.id, { limit }),
    };
    if (isJson) {
      terminal.printJson({ directory, ...known, children: known.children.map((child) => child.id) });
      return 0;
    }
    terminal.print(pageOf(known, terminal.now()));
    const notes = notesOf(view);
    if (task.finishedAt === undefined) terminal.print(notes.flatMap((note) => [[], { prose: note, style: "waiting" }]));
    return 0;
  },
};

interface TaskDetails {
  readonly task: TaskRecord;
  readonly children: readonly TaskRecord[];
  readonly requests: readonly InboxRequest[];
  readonly messages: readonly Message[];
  readonly events: readonly TaskEvent[];
}

/** All requests of a task in every status, oldest first. */
function requestsOf(view: StoreView, taskId: string): InboxRequest[] {
  return [...view.requests({ taskId, status: ["open", "answered", "rejected", "expired", "withdrawn"] })];
}

function pageOf(known: TaskDetails, now: number): Line[] {
  const { task, children, requests, messages, events } = known;
  const questions = new Map(requests.map(({ id, question }) => [id, question]));
  const setting: Setting = { now, question: (id) => questions.get(id) };
  return [
    ...recordLines(task, children, setting),
    ...section(
      "questions",
      requests.map((request) => [
        idWord(request.id),
        { text: request.status, style: request.status === "open" ? "waiting" : "faint" },
        { text: relative(request.createdAt, now), style: "faint" },
        `${phrase(request.question)} (${describeRequest(request, now)})`,
      ]),
    ),
    ...section(
      "messages",
      messages.map((message) => [
        message.direction === "inbound" ? "receives" : "says",
        { text: relative(message.createdAt, now), style: "faint" },
        describeContent(message),
      ]),
    ),
    ...section(
      "events",
      events.map((event) => [
        { text: String(event.seq), style: "faint" },
        { text: relative(event.at, now), style: "faint" },
        describeEvent(event, setting.question),
      ]),
      [0, 1],
    ),
  ];
}

function section(title: string, rows: readonly Row[], right: readonly number[] = []): Line[] {
  if (rows.length === 0) return [];
  return [[], [{ text: title, style: "strong" }], ...aligned(rows, right).map((line) => ["  ", ...line])];
}
