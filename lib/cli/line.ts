// Line: text for a terminal, before the width and the colours of the terminal are known.
//
// A row consists of spans. Each span has a meaning instead of a colour. Only this file turns spans into text: it
// escapes control characters, shortens long blanks inside a span, cuts to the width, and adds colour. So no text of a
// task reaches the terminal unescaped, and a colour code never counts as width.

import { styleText } from "node:util";
import { printable } from "./printable.js";
import { beginningOf, widthOf } from "./width.js";

/** The meaning of a span; each meaning has a colour. */
export type Style = "strong" | "faint" | "good" | "bad" | "busy" | "waiting";

/** A piece of text in a row. */
export interface Span {
  /** The text, not yet escaped. */
  readonly text: string;
  /** The meaning; without one the terminal shows its default colour. */
  readonly style?: Style;
}

/** A row of a table or list. A row is cut at the width of the terminal. */
export type Row = readonly (Span | string)[];
/** A sentence. A sentence is never cut: the terminal wraps it. */
export interface Prose {
  /** The text, not yet escaped. */
  readonly prose: string;
  /** The meaning; without one the terminal shows its default colour. */
  readonly style?: Style;
}
/** A row, which is cut, or a sentence, which is wrapped. */
export type Line = Row | Prose;

/** The width and the colours of the output. */
export interface Display {
  /** The largest width of a row, in columns; `undefined`: rows are not cut. */
  readonly columns: number | undefined;
  /** Styles become colour codes. */
  readonly isColored: boolean;
}

const COLORS = { strong: "bold", faint: "gray", good: "green", bad: "red", busy: "cyan", waiting: "yellow" } as const;

/** Returns the line as escaped text, cut and coloured for the display. */
export function renderLine(line: Line, display: Display): string {
  if ("prose" in line) return renderRow([{ ...line, text: line.prose }], { ...display, columns: undefined });
  return renderRow(line, display);
}

function renderRow(line: Row, { columns, isColored }: Display): string {
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

/** The largest width to which a cell is padded. */
const WIDEST_PADDED = 40;

/**
 * Pads the cells of each column to the widest one; the last column is not padded. Columns listed in `right` are aligned
 * right. A cell that is wider than 40 columns is shown whole and moves only its own row: an id is needed whole, and one
 * long id would push the text of all rows out of sight.
 */
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
    for (const [column, { width }] of row.entries()) {
      const padded = Math.min(width, WIDEST_PADDED);
      widths[column] = Math.max(widths[column] ?? 0, padded);
    }
  }
  return cells.map((row) =>
    row.flatMap((cell, column) => {
      const missing = " ".repeat(Math.max(0, (widths[column] ?? 0) - cell.width));
      const isLast = column === row.length - 1;
      if (right.includes(column)) return [missing, cell, isLast ? "" : "  "];
      return isLast ? [cell] : [cell, `${missing}  `];
    }),
  );
}

/**
 * Escapes `text`. Blanks at the beginning and the end are layout of the row and remain; a run of three or more blanks
 * inside becomes two, because a terminal could wrap it into a false row.
 */
function shown(text: string): string {
  return printable(text).replaceAll(/(?<=\S) {3,}(?=\S)/g, "  ");
}

function toSpan(span: Span | string): Span {
  return typeof span === "string" ? { text: span } : span;
}

function colored(text: string, style: Style): string {
  // Whether colours are used was decided for the terminal, so styleText must not check its own stream.
  return text === "" ? "" : styleText(COLORS[style], text, { validateStream: false });
}
