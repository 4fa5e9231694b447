// Notice choice: chooses the notices of one batch and makes its text (N1).
//
// When all notices fit, the text has a line for each, oldest first. Otherwise questions, ends without success and
// messages come first, each in full. Results follow, shortened, and counted by kind where even that is too long. Custom
// events come last. The remaining notices are left for the next batch, so the work of a batch is bounded by the length
// of its text.

import { byAge, type ChosenNotices, type ReadyNotices, type TaskNotice } from "../../core/notices/ready-notices.js";
import { PRECEDENCES } from "../../core/task/notice.js";
import { plainOrQuoted } from "./escape.js";
import { MOST_OF_ONE } from "./notice-text.js";
import type { ToolSet } from "./tool-names.js";

/** The notices of one batch, and its text. */
export interface NoticeChoice extends ChosenNotices {
  /** The text of the batch: at most `MOST_OF_BATCH` characters; `""` without notices. */
  readonly text: string;
}

const MOST_OF_BATCH = 8_000;
/** More lines than this never fit in one text. */
const MOST_LINES = 600;
const OPEN = "<task_notices>";
const CLOSE = "</task_notices>";
const FOLLOWS = "… and more: the next batch has them";
const ARE_CUT = "… results above are cut short: get_task returns each in full";
/** Lengths of a shown result, in characters. The first that fits for all results is used. */
const LENGTHS_OF_RESULTS = [MOST_OF_ONE, 160, 60] as const;
/**
 * Characters that messages leave free for results, so that a task with many messages cannot hide how other tasks ended.
 */
const RESERVED_FOR_RESULTS = 2_000;
const LENGTH_OF_CUT = ARE_CUT.length + 1;
const LENGTH_OF_COUNT = 500;
const MOST_KINDS = 5;
const MOST_OF_KIND = 40;

/** Describes a notice as it is at present; each text of the task in it has at most `most` characters. */
export type DescribeNotice = (notice: TaskNotice, most: number) => string;

/** Chooses the notices of one batch. `tools`: the tools of the model that reads the text. */
export function chooseNotices(ready: ReadyNotices, describe: DescribeNotice, tools: ToolSet): NoticeChoice {
  return completeBatch(ready, describe) ?? new Choice(ready, describe, tools).result();
}

/** A batch of all ready notices, each in full; `undefined` when they do not fit. */
function completeBatch(ready: ReadyNotices, describe: DescribeNotice): NoticeChoice | undefined {
  const found: TaskNotice[] = [];
  for (const precedence of PRECEDENCES) {
    for (const notice of ready.of(precedence)) {
      if (found.length === MOST_LINES) return undefined;
      found.push(notice);
    }
  }
  const page = new Page(0);
  for (const notice of found.sort(byAge)) if (!page.add(lineOf(describe(notice, MOST_OF_ONE)))) return undefined;
  return { covered: found, counted: [], number: undefined, text: page.text };
}

/** The lines of one text, and the characters that are left for more. */
class Page {
  readonly #lines: string[] = [];
  #left: number;

  /** `reserved`: characters that `write` needs for a later line. */
  constructor(reserved: number) {
    this.#left = MOST_OF_BATCH - OPEN.length - CLOSE.length - 1 - reserved;
  }

  get left(): number {
    return this.#left;
  }

  /** Adds the line when it fits and leaves `spare` characters. Returns whether it was added. */
  add(line: string, spare = 0): boolean {
    if (line.length + 1 > this.#left - spare) return false;
    this.write(line);
    return true;
  }

  /** Adds a line for which space was reserved. */
  write(line: string): void {
    this.#lines.push(line);
    this.#left -= line.length + 1;
  }

  get text(): string {
    return this.#lines.length === 0 ? "" : `${OPEN}\n${this.#lines.join("\n")}\n${CLOSE}`;
  }
}

/** Chooses when not all notices fit in full. */
class Choice {
  readonly #ready: ReadyNotices;
  readonly #describe: DescribeNotice;
  readonly #tools: ToolSet;
  readonly #page = new Page(FOLLOWS.length + 1);
  readonly #covered: TaskNotice[] = [];
  #counted: readonly TaskNotice[] = [];

  constructor(ready: ReadyNotices, describe: DescribeNotice, tools: ToolSet) {
    this.#tools = tools;
    this.#ready = ready;
    this.#describe = describe;
  }

  result(): NoticeChoice {
    const isComplete = this.#addAll();
    if (!isComplete) this.#page.write(FOLLOWS);
    const counted = this.#counted;
    return { covered: this.#covered.sort(byAge), counted, number: numberOf(counted), text: this.#page.text };
  }

  /** Adds the notices by precedence. Returns whether none is left for the next batch. */
  #addAll(): boolean {
    if (!this.#addFull(this.#ready.of("urgent"), 0)) return false;
    const hasResults = this.#ready.of("result").next().done !== true;
    const hasAllMessages = this.#addFull(this.#ready.of("message"), hasResults ? RESERVED_FOR_RESULTS : 0);
    const hasAllResults = !hasResults || this.#addResults();
    return hasAllMessages && hasAllResults && this.#addFull(this.#ready.of("chatter"), 0);
  }

  /** Adds notices in full until one does not fit. Returns whether all of them were added. */
  #addFull(notices: Iterable<TaskNotice>, spare: number): boolean {
    for (const notice of notices) {
      if (!this.#page.add(lineOf(this.#describe(notice, MOST_OF_ONE)), spare)) return false;
      this.#covered.push(notice);
    }
    return true;
  }

  #addResults(): boolean {
    for (const most of LENGTHS_OF_RESULTS) if (this.#addShortened(most)) return true;
    return this.#addCounted();
  }

  /** Adds all results with texts of at most `most` characters. Returns `false`, and adds none, when they do not fit. */
  #addShortened(most: number): boolean {
    const notices: TaskNotice[] = [];
    const lines: string[] = [];
    let left = this.#page.left - LENGTH_OF_CUT;
    for (const notice of this.#ready.of("result")) {
      const line = lineOf(this.#describe(notice, most));
      left -= line.length + 1;
      if (left < 0) return false;
      notices.push(notice);
      lines.push(line);
    }
    for (const line of lines) this.#page.write(line);
    for (const notice of notices) this.#covered.push(notice);
    this.#addCutHint(notices, most);
    return true;
  }

  /**
   * Adds the oldest results in their shortest form. The others are counted when the text has space for that and the
   * model can list them; otherwise they are left for the next batch. Returns whether no result is left.
   */
  #addCounted(): boolean {
    const canList = this.#tools.has("list_tasks") && this.#page.left >= LENGTH_OF_COUNT;
    const spare = LENGTH_OF_CUT + (canList ? LENGTH_OF_COUNT : 0);
    const shown: TaskNotice[] = [];
    const counted: TaskNotice[] = [];
    let isFull = false;
    for (const notice of this.#ready.of("result")) {
      isFull ||= !this.#page.add(lineOf(this.#describe(notice, SHORTEST)), spare);
      if (!isFull) shown.push(notice);
      else if (canList) counted.push(notice);
      else break;
    }
    this.#addCutHint(shown, SHORTEST);
    for (const notices of [shown, counted]) for (const notice of notices) this.#covered.push(notice);
    if (counted.length === 0) return !isFull;
    this.#counted = counted;
    const more = `… ${counted.length} more succeeded (${describeKinds(counted)})`;
    this.#page.write(
      `${more}: list_tasks with batch ${numberOf(counted)} lists exactly these, until your next notices`,
    );
    return true;
  }

  /** Adds the line that names `get_task` when one of the shown results is cut. */
  #addCutHint(shown: readonly TaskNotice[], most: number): void {
    if (!this.#tools.has("get_task")) return;
    if (shown.some((notice) => this.#describe(notice, most) !== this.#describe(notice, MOST_OF_ONE)))
      this.#page.write(ARE_CUT);
  }
}

const SHORTEST = LENGTHS_OF_RESULTS[LENGTHS_OF_RESULTS.length - 1] ?? MOST_OF_ONE;

/** The number of a batch. It is the same for the same notices, so a batch that is delivered again has the same text. */
function numberOf(counted: readonly TaskNotice[]): number | undefined {
  return counted.length === 0 ? undefined : counted.reduce((newest, { order }) => Math.max(newest, order), 0);
}

function lineOf(text: string): string {
  return `- ${text}`;
}

/** The counts by kind: `9000 crawl, 120 without a kind`. */
function describeKinds(notices: readonly TaskNotice[]): string {
  const counts = new Map<string, number>();
  for (const { task } of notices) {
    const kind = task.traits.kind ?? "";
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const kinds = [...counts].sort(([, a], [, b]) => b - a);
  const largest = kinds
    .slice(0, MOST_KINDS)
    .map(([kind, count]) => `${count} ${kind === "" ? "without a kind" : plainOrQuoted(kind, MOST_OF_KIND)}`);
  const others = kinds.slice(MOST_KINDS).reduce((sum, [, count]) => sum + count, 0);
  return (others === 0 ? largest : [...largest, `${others} of other kinds`]).join(", ");
}
