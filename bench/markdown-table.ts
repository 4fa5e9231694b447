// Markdown table: rows of text as a table of a document.

export function markdownTable(
  head: readonly string[],
  sides: readonly ("l" | "r")[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${sides.map((side) => (side === "r" ? "--:" : "---")).join("|")}|`, ...rows.map(line)];
}
