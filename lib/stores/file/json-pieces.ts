// JSON pieces: writes a value as JSON in pieces. A long value is never one string, and does not block the event loop.
//
// The fields of the top object are separate pieces, and so are the items of a field that is a list. Deeper values are
// not divided.

import type { Json } from "../../core/values/json.js";

/** Yields the JSON text of `value` in pieces, with a line feed between items. */
export function* jsonPieces(value: Json): Generator<string, void, undefined> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    yield JSON.stringify(value);
    return;
  }
  let before = "{";
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined) continue;
    yield `${before}${JSON.stringify(name)}:`;
    before = ",\n";
    if (Array.isArray(field)) yield* listPieces(field);
    else yield JSON.stringify(field);
  }
  yield before === "{" ? "{}" : "}";
}

function* listPieces(items: readonly unknown[]): Generator<string, void, undefined> {
  let before = "[";
  for (const item of items) {
    // JSON has no `undefined`: in a list it is written as null.
    yield before + (JSON.stringify(item) ?? "null");
    before = ",\n";
  }
  yield before === "[" ? "[]" : "]";
}
