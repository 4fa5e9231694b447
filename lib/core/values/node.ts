// Node: the modules of Node that the core uses.
//
// They are read with `process.getBuiltinModule`, not imported: an import statement also evaluates every export of the
// module, so that `import "errand"` would load the streams, the workers and the digests of Node: 4 ms on Node 20, 10 ms
// on Node 24. A module that most programs never need is read at its first use.

import type * as Hooks from "node:async_hooks";
import type { setMaxListeners } from "node:events";
import type * as Util from "node:util";

// The declarations name `node:` modules, as the published types do.
const hooks: typeof Hooks = process.getBuiltinModule("node:async_hooks");
/** A store of async code. */
export const AsyncLocalStorage: typeof Hooks.AsyncLocalStorage = hooks.AsyncLocalStorage;
/** A context of async code. */
export const AsyncResource: typeof Hooks.AsyncResource = hooks.AsyncResource;

const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = process.getBuiltinModule("node:timers");
/** The platform's timers at import. A fake that takes their place later, also in the module, does not change them. */
export const platformTimers = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate };

/** `node:events`. */
export const nodeEvents: { readonly setMaxListeners: typeof setMaxListeners } = process.getBuiltinModule("node:events");

/** `node:util`. */
export const nodeUtil: typeof Util = process.getBuiltinModule("node:util");

/** The SHA-256 digest of a text, in base64. */
export function digestOf(text: string): string {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(text).digest("base64");
}
