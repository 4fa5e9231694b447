// Table: how numbers look on a terminal.
import type { Quartiles } from "./statistics.js";

/** Three significant digits, and no exponent. */
export function short(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
export function spread({ low, median, high }: Quartiles): string {
  return `${short(median)} [${short(low)}–${short(high)}]`;
}

/** The first column is text, the others are set to the right but for the last. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || column === head.length - 1 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** A block of output, set off by an empty line. */
export function print(text: string): void {
  process.stdout.write(`\n${text}\n`);
}
