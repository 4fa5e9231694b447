// JSON: what a record, an event or a message can carry.
//
// Owns one question: can JSON carry this value without losing any of it, and if not, where does it fail?
// A copy is made and frozen, so that what errand keeps cannot be changed from outside.

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A frozen copy, or why there is none: `$.items[3]: a function`. */
export type JsonCopy = { readonly ok: true; readonly json: Json } | { readonly ok: false; readonly why: string };

class NotJson extends Error {}

export function copyJson(value: unknown): JsonCopy {
  try {
    return { ok: true, json: copy(value, "$", []) };
  } catch (error) {
    if (error instanceof NotJson) return { ok: false, why: error.message };
    if (error instanceof RangeError) return { ok: false, why: "nested too deeply" };
    return { ok: false, why: `reading it threw: ${String(error)}` };
  }
}

function copy(value: unknown, path: string, above: readonly object[]): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new NotJson(`${path}: ${value}`);
      return value;
    case "object":
      return value === null ? null : copyObject(value, path, above);
    default:
      throw new NotJson(`${path}: ${value === undefined ? "undefined" : `a ${typeof value}`}`);
  }
}

function copyObject(value: object, path: string, above: readonly object[]): Json {
  if (above.includes(value)) throw new NotJson(`${path}: a cycle`);
  const within = [...above, value];
  if (hasToJson(value)) return copy(value.toJSON(""), path, within);
  if (Array.isArray(value)) {
    return Object.freeze(Array.from(value, (item: unknown, index) => copy(item, `${path}[${index}]`, within)));
  }
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw new NotJson(`${path}: a ${value.constructor.name}`);
  }
  const result: { [key: string]: Json } = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    // `__proto__` is a key like any other here: assigning it would set the prototype instead.
    Object.defineProperty(result, key, {
      value: copy(item, `${path}.${key}`, within),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return Object.freeze(result);
}

function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/** As `copyJson`, for what a caller hands over: a value JSON cannot carry is a `TypeError` that names the option and the place. */
export function takeJson(option: string, value: unknown): Json {
  const taken = copyJson(value);
  if (!taken.ok) throw new TypeError(`${option} must be a value that JSON can carry; at ${taken.why}`);
  return taken.json;
}
