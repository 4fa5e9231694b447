// JSON pieces: the text of a value bit by bit, so that a long one is no single string and does not hold up the loop.
//
// An object's fields, and the items of a field that is a list, come one by one; what is below them comes whole.

import type { Json } from "../../core/values/json.js";

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
    // As JSON has it: nothing in a list is null.
    yield before + (JSON.stringify(item) ?? "null");
    before = ",\n";
  }
  yield before === "[" ? "[]" : "]";
}
