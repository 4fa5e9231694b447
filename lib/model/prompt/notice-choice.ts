// Notice choice: which of the ready notices one batch has, and its text (N1).
//
// When all of them fit, the text has a line for each, oldest first. Otherwise questions, ends without success and messages come first, each in full; then
// results, shortened as far as it helps, and counted by kind where even that is too long; then custom events. What the text neither shows nor
// counts is left for the next batch: a batch formats no more than it has room for, however many notices are pending.

import { byAge, type ChosenNotices, type ReadyNotices, type TaskNotice } from "../../core/notices/ready-notices.js";
import { PRECEDENCES } from "../../core/task/notice.js";
import { named } from "./escape.js";
import { MOST_OF_ONE } from "./notice-text.js";
import type { ToolSet } from "./tool-names.js";

export interface NoticeChoice extends ChosenNotices {
  /** At most `MOST_OF_BATCH` characters; `""` when there are none. */
  readonly text: string;
}

const MOST_OF_BATCH = 8_000;
/** More lines never fit. */
const MOST_LINES = 600;
const OPEN = "<task_notices>";
const CLOSE = "</task_notices>";
const FOLLOWS = "… and more: the next batch has them";
const ARE_CUT = "… results above are cut short: get_task returns each in full";
/** Characters of a result, the longest that fits for all. */
const LENGTHS_OF_RESULTS = [MOST_OF_ONE, 160, 60] as const;
/** Kept free for results when there are more messages than fit, so that no task that talks on hides how others ended. */
const KEPT_FOR_RESULTS = 2_000;
const ROOM_OF_CUT = ARE_CUT.length + 1;
const ROOM_OF_COUNT = 500;
const MOST_KINDS = 5;
const MOST_OF_KIND = 40;

/** Says a notice as it is by now, its own words in at most so many characters. */
export type Say = (notice: TaskNotice, most: number) => string;

/** `tools`: those that the model which reads the text has. */
export function chooseNotices(ready: ReadyNotices, say: Say, tools: ToolSet): NoticeChoice {
  return whole(ready, say) ?? new Choice(ready, say, tools).made();
}

/** All of them, in full; `undefined` when they do not fit. */
function whole(ready: ReadyNotices, say: Say): NoticeChoice | undefined {
  const found: TaskNotice[] = [];
  for (const precedence of PRECEDENCES) {
    for (const notice of ready.of(precedence)) {
      if (found.length === MOST_LINES) return undefined;
      found.push(notice);
    }
  }
  const page = new Page(0);
  for (const notice of found.sort(byAge)) if (!page.add(lineOf(say(notice, MOST_OF_ONE)))) return undefined;
  return { covered: found, counted: [], number: undefined, text: page.text };
}

/** The lines of one text. */
class Page {
  readonly #lines: string[] = [];
  #left: number;

  constructor(kept: number) {
    this.#left = MOST_OF_BATCH - OPEN.length - CLOSE.length - 1 - kept;
  }

  get left(): number {
    return this.#left;
  }

  /** Whether the line fits, with so many characters to spare. */
  add(line: string, spare = 0): boolean {
    if (line.length + 1 > this.#left - spare) return false;
    this.write(line);
    return true;
  }

  /** A line for which room was kept. */
  write(line: string): void {
    this.#lines.push(line);
    this.#left -= line.length + 1;
  }

  get text(): string {
    return this.#lines.length === 0 ? "" : `${OPEN}\n${this.#lines.join("\n")}\n${CLOSE}`;
  }
}

/** The choice where there is more than fits. */
class Choice {
  readonly #ready: ReadyNotices;
  readonly #say: Say;
  readonly #tools: ToolSet;
  readonly #page = new Page(FOLLOWS.length + 1);
  readonly #covered: TaskNotice[] = [];
  #counted: readonly TaskNotice[] = [];

  constructor(ready: ReadyNotices, say: Say, tools: ToolSet) {
    this.#tools = tools;
    this.#ready = ready;
    this.#say = say;
  }

  made(): NoticeChoice {
    const areAllIn = this.#takeAll();
    if (!areAllIn) this.#page.write(FOLLOWS);
    const counted = this.#counted;
    return { covered: this.#covered.sort(byAge), counted, number: numberOf(counted), text: this.#page.text };
  }

  /** Whether nothing is left for the next batch. */
  #takeAll(): boolean {
    if (!this.#take(this.#ready.of("urgent"), 0)) return false;
    const hasResults = this.#ready.of("result").next().done !== true;
    const areMessagesIn = this.#take(this.#ready.of("message"), hasResults ? KEPT_FOR_RESULTS : 0);
    const areResultsIn = !hasResults || this.#takeResults();
    return areMessagesIn && areResultsIn && this.#take(this.#ready.of("chatter"), 0);
  }

  /** Each in full, until one does not fit. */
  #take(notices: Iterable<TaskNotice>, spare: number): boolean {
    for (const notice of notices) {
      if (!this.#page.add(lineOf(this.#say(notice, MOST_OF_ONE)), spare)) return false;
      this.#covered.push(notice);
    }
    return true;
  }

  #takeResults(): boolean {
    for (const most of LENGTHS_OF_RESULTS) if (this.#takeShortened(most)) return true;
    return this.#takeCounted();
  }

  /** All results, each in at most so many characters, if they fit. */
  #takeShortened(most: number): boolean {
    const notices: TaskNotice[] = [];
    const lines: string[] = [];
    let left = this.#page.left - ROOM_OF_CUT;
    for (const notice of this.#ready.of("result")) {
      const line = lineOf(this.#say(notice, most));
      left -= line.length + 1;
      if (left < 0) return false;
      notices.push(notice);
      lines.push(line);
    }
    for (const line of lines) this.#page.write(line);
    for (const notice of notices) this.#covered.push(notice);
    this.#sayCut(notices, most);
    return true;
  }

  /** The oldest as short as can be; the others counted, where there is room and the model can list them, and else left for the next batch. */
  #takeCounted(): boolean {
    const canList = this.#tools.has("list_tasks") && this.#page.left >= ROOM_OF_COUNT;
    const spare = ROOM_OF_CUT + (canList ? ROOM_OF_COUNT : 0);
    const shown: TaskNotice[] = [];
    const counted: TaskNotice[] = [];
    let isFull = false;
    for (const notice of this.#ready.of("result")) {
      isFull ||= !this.#page.add(lineOf(this.#say(notice, SHORTEST)), spare);
      if (!isFull) shown.push(notice);
      else if (canList) counted.push(notice);
      else break;
    }
    this.#sayCut(shown, SHORTEST);
    for (const notices of [shown, counted]) for (const notice of notices) this.#covered.push(notice);
    if (counted.length === 0) return !isFull;
    this.#counted = counted;
    const more = `… ${counted.length} more succeeded (${kindsInWords(counted)})`;
    this.#page.write(
      `${more}: list_tasks with batch ${numberOf(counted)} lists exactly these, until your next notices`,
    );
    return true;
  }

  /** Where the full results are, when one is cut. */
  #sayCut(shown: readonly TaskNotice[], most: number): void {
    if (!this.#tools.has("get_task")) return;
    if (shown.some((notice) => this.#say(notice, most) !== this.#say(notice, MOST_OF_ONE))) this.#page.write(ARE_CUT);
  }
}

const SHORTEST = LENGTHS_OF_RESULTS[LENGTHS_OF_RESULTS.length - 1] ?? MOST_OF_ONE;

/** The same for the same notices, so that a batch that is delivered again has the same text. */
function numberOf(counted: readonly TaskNotice[]): number | undefined {
  return counted.length === 0 ? undefined : counted.reduce((newest, { order }) => Math.max(newest, order), 0);
}

function lineOf(words: string): string {
  return `- ${words}`;
}

/** `9000 crawl, 120 without a kind`. */
function kindsInWords(notices: readonly TaskNotice[]): string {
  const counts = new Map<string, number>();
  for (const { task } of notices) {
    const kind = task.traits.kind ?? "";
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const kinds = [...counts].sort(([, a], [, b]) => b - a);
  const largest = kinds
    .slice(0, MOST_KINDS)
    .map(([kind, count]) => `${count} ${kind === "" ? "without a kind" : named(kind, MOST_OF_KIND)}`);
  const others = kinds.slice(MOST_KINDS).reduce((sum, [, count]) => sum + count, 0);
  return (others === 0 ? largest : [...largest, `${others} of other kinds`]).join(", ");
}
