// Line: what is printed, before it is known for which terminal.
//
// A row is made of spans, each with a meaning instead of a colour. Here alone it becomes text: made printable, without long runs of blanks inside
// a span, cut to the terminal's width, coloured. So nothing that a task says can pass unescaped, and no colour is counted as width.

import { styleText } from "node:util";
import { printable } from "./printable.js";
import { beginningOf, widthOf } from "./width.js";

export type Style = "strong" | "faint" | "good" | "bad" | "busy" | "waiting";

export interface Span {
  readonly text: string;
  readonly style?: Style;
}

/** A row of a table, or of a list: cut where the terminal ends. */
export type Row = readonly (Span | string)[];
/** A sentence: never cut, the terminal goes on with it in the next line. */
export interface Prose {
  readonly prose: string;
  readonly style?: Style;
}
export type Line = Row | Prose;

export interface Look {
  /** Lines are cut to so many; `undefined`: they are not. */
  readonly columns: number | undefined;
  readonly isColored: boolean;
}

const COLORS = { strong: "bold", faint: "gray", good: "green", bad: "red", busy: "cyan", waiting: "yellow" } as const;

export function renderLine(line: Line, look: Look): string {
  if ("prose" in line) return renderRow([{ ...line, text: line.prose }], { ...look, columns: undefined });
  return renderRow(line, look);
}

function renderRow(line: Row, { columns, isColored }: Look): string {
  const spans = line.map(toSpan).map(({ text, style }) => ({ text: shown(text), style }));
  const whole = spans.map(({ text }) => text).join("");
  const isCut = columns !== undefined && widthOf(whole.trimEnd()) > columns;
  let left = isCut ? columns - 1 : Number.POSITIVE_INFINITY;
  let rendered = "";
  for (const { text, style } of spans) {
    const kept = beginningOf(text, left);
    rendered += isColored && style !== undefined ? colored(kept, style) : kept;
    left = kept === text ? left - widthOf(kept) : 0;
  }
  return isCut ? `${rendered}…` : rendered.trimEnd();
}

/** Columns as wide as their widest cell; the last one as it comes. Those in `right` are flush right. */
export function aligned(rows: readonly Row[], right: readonly number[] = []): Row[] {
  const cells = rows.map((row) =>
    row.map((cell) => {
      const { text, ...more } = toSpan(cell);
      const cellText = shown(text);
      return { ...more, text: cellText, width: widthOf(cellText) };
    }),
  );
  const widths: number[] = [];
  for (const row of cells) {
    for (const [column, { width }] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, width);
  }
  return cells.map((row) =>
    row.flatMap((cell, column) => {
      const missing = " ".repeat((widths[column] ?? 0) - cell.width);
      const isLast = column === row.length - 1;
      if (right.includes(column)) return [missing, cell, isLast ? "" : "  "];
      return isLast ? [cell] : [cell, `${missing}  `];
    }),
  );
}

/** The blanks at the beginning and the end of `text` are the row's layout; a longer run inside it could wrap into a false row. */
function shown(text: string): string {
  return printable(text).replaceAll(/(?<=\S) {3,}(?=\S)/g, "  ");
}

function toSpan(span: Span | string): Span {
  return typeof span === "string" ? { text: span } : span;
}

function colored(text: string, style: Style): string {
  // Whether there are colours was decided for the terminal that is printed on.
  return text === "" ? "" : styleText(COLORS[style], text, { validateStream: false });
}
