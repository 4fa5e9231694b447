// Row: reads the columns of a row. Drivers return a 64-bit integer as a number, as a bigint or as a text.

import type { SqlRow } from "./connection.js";

/** Reads a whole number. `TypeError` if the column has no safe integer. */
export function numberIn(row: SqlRow, column: string): number {
  const value = row[column];
  const number = typeof value === "string" || typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  throw new TypeError(`the column ${column} has no whole number: ${String(value)}`);
}

/** Reads a whole number; `undefined` for NULL. */
export function maybeNumberIn(row: SqlRow, column: string): number | undefined {
  return row[column] === null ? undefined : numberIn(row, column);
}

/** Reads a text. `TypeError` if the column has no text. */
export function textIn(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw new TypeError(`the column ${column} has no text: ${String(value)}`);
}

/** Reads a text; `undefined` for NULL. */
export function maybeTextIn(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : textIn(row, column);
}

/** Parses the JSON of a T; `undefined` if the text was changed and is not JSON. */
export function parse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
