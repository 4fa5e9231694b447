// Row: reading the columns of an answer. Drivers give one 64-bit integer as a number, as a bigint or as text.

import type { SqlRow } from "./connection.js";

export function numberIn(row: SqlRow, column: string): number {
  const value = row[column];
  const number = typeof value === "string" || typeof value === "bigint" ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  throw new TypeError(`the column ${column} has no whole number: ${String(value)}`);
}

/** `undefined` for NULL. */
export function maybeNumberIn(row: SqlRow, column: string): number | undefined {
  return row[column] === null ? undefined : numberIn(row, column);
}

export function textIn(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw new TypeError(`the column ${column} has no text: ${String(value)}`);
}

/** `undefined` for NULL. */
export function maybeTextIn(row: SqlRow, column: string): string | undefined {
  return row[column] === null ? undefined : textIn(row, column);
}

/** The text is of what was given as a T; `undefined` when somebody has changed it. */
export function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
