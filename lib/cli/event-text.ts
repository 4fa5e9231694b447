// Event text: describes each type of event in one line.

import type { Message, TaskEvent, TaskPatch } from "errand";
import { describeDuration } from "./duration.js";
import { idWord } from "./printable.js";
import {
  count,
  describeProgress,
  describeUsage,
  describeWaits,
  failurePhrase,
  kindOf,
  labelOf,
  phrase,
  type Setting,
  valuePhrase,
} from "./task-text.js";

/** Describes an event in one line. Remaining times are relative to the instant of the event, not to the present. */
export function describeEvent(event: TaskEvent, question: Setting["question"]): string {
  switch (event.type) {
    case "task.created": {
      const { record } = event;
      const under = record.parentId === undefined ? "" : `, a child of ${idWord(record.parentId)}`;
      return `spawned: ${`${kindOf(record)} ${phrase(labelOf(record))}`.trimEnd()}${under}`;
    }
    case "task.started":
      return `started in process ${event.runtime.pid}${event.attempt > 1 ? `, attempt ${event.attempt}` : ""}`;
    case "task.blocked":
      return describeWaits(event.blockedOn, { now: event.at, question });
    case "task.resumed":
      return "goes on";
    case "task.progressed":
      return `progress: ${phrase(describeProgress(event.progress))}`;
    case "task.updated":
      return describePatch(event.patch);
    case "task.cancelRequested":
      return `was asked to stop: ${phrase(event.reason)}`;
    case "task.returned":
      return event.outcome.status === "succeeded" ? "returned" : "its function is over, and it did not succeed";
    case "task.succeeded":
      if (event.outputApart) return "succeeded, with a long output";
      return event.output === undefined ? "succeeded" : `succeeded: ${valuePhrase(event.output)}`;
    case "task.failed":
      return `failed: ${failurePhrase(event.error)}`;
    case "task.cancelled":
      return `cancelled: ${phrase(event.reason)}`;
    case "task.interrupted":
      return `interrupted: ${event.reason}${event.pid === undefined ? "" : `, process ${event.pid}`}${describeAttemptsUsed(event.attemptsUsed)}`;
    case "task.abandoned":
      return "did not stop in time, and is left to itself";
    case "task.parked":
      return `is parked: ${describeWaits(event.blockedOn, { now: event.at, question })}`;
    case "task.reattached":
      return `taken up by process ${event.runtime.pid}, attempt ${event.attempt}`;
    case "task.lateSettled":
      return `its abandoned function ${event.settled}${event.message === undefined ? "" : `: ${phrase(event.message)}`}`;
    case "request.opened":
      return `asks (${idWord(event.request.id)}): ${phrase(event.request.question)}`;
    case "request.answered":
    case "request.rejected": {
      const { id, status, by, answer, reason } = event.request;
      const what = answer === undefined ? phrase(reason ?? "") : valuePhrase(answer);
      return `${idWord(id)} was ${status}${by === undefined ? "" : ` by ${idWord(by)}`}: ${what}`;
    }
    case "request.expired":
    case "request.withdrawn":
      return `${idWord(event.request.id)} ${event.request.status === "expired" ? "expired" : "was withdrawn"}`;
    case "message.sent":
      return `${event.message.direction === "inbound" ? "receives" : "says"}: ${describeContent(event.message)}`;
    case "artifact.added":
      return `made ${phrase(event.artifact.name)} (${phrase(event.artifact.type)})`;
    case "usage.reported":
      return `used ${describeUsage(event.usage) || "nothing"}`;
    case "custom":
      return `emitted ${phrase(event.name)}${event.payload === undefined ? "" : `: ${valuePhrase(event.payload)}`}`;
    case "task.retried": {
      const { error, notBeforeAt, at } = event;
      return `failed: ${failurePhrase(error)}; tried again ${notBeforeAt > at ? `in ${describeDuration(notBeforeAt - at)}` : "at once"}`;
    }
    default:
      return event satisfies never;
  }
}

function describeAttemptsUsed(attemptsUsed: number | undefined): string {
  return attemptsUsed === undefined ? "" : `, ${count(attemptsUsed, "attempt")} used up`;
}

/** The content of a message as one short phrase. */
export function describeContent({ content }: Message): string {
  return phrase(content.map((part) => (part.type === "text" ? part.text : valuePhrase(part.data))).join(" "));
}

function describePatch(patch: TaskPatch): string {
  const { summary, title, checkpoint, detached, tags, links, metadata, heartbeatAt, acknowledged } = patch;
  const changes = [
    ...(summary === undefined ? [] : [`summary: ${phrase(summary)}`]),
    ...(title === undefined ? [] : [`title: ${phrase(title)}`]),
    ...(checkpoint === undefined ? [] : [`checkpoint: ${valuePhrase(checkpoint)}`]),
    ...(detached === true ? ["was detached"] : []),
    ...(tags === undefined ? [] : [`tags: ${phrase(tags.join(", "))}`]),
    ...(links === undefined ? [] : [`links: ${valuePhrase(links)}`]),
    ...(metadata === undefined ? [] : [`metadata: ${count(Object.keys(metadata).length, "field")}`]),
    ...(acknowledged === undefined ? [] : ["its owner acknowledged its notices"]),
    ...(patch.readsNotices === undefined ? [] : ["asks for notices"]),
    ...(heartbeatAt === undefined ? [] : ["gives a sign of life"]),
  ];
  return changes.join(", ") || "updated";
}
