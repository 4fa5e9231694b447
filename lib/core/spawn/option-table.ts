// Option table: every option of a spawn, with the check of its value and the party that sets it for a model.
//
// Owns the names of the options. A new option is a line here, a line in `AnySpawnOptions`, and the code that uses it.
// An option that the record shows is also a line in `SHOWN` of `traits.ts`. Called by scopes, before an input is parsed
// and anything is made, and by the tools of a model.

import { takeWeight } from "../lanes/weight.js";
import { takeRetry } from "../task/retry.js";
import {
  checkFinite,
  checkKnown,
  checkMs,
  checkOneOf,
  checkSignal,
  checkTags,
  checkText,
  checkType,
} from "../values/checks.js";
import { takeBudget } from "./budget.js";
import type { AnySpawnOptions, TakenOptions } from "./spawn-options.js";

/** One option of a spawn. */
interface Option<V> {
  /** Throws a `TypeError` or `RangeError` that names the option when the value does not fit. */
  readonly check: (name: string, value: V) => void;
  /** The party that sets the option when a model spawns: the program in `tools({ spawn })`, or the model's call. */
  readonly setBy: "program" | "call";
}

const byProgram = <V>(check: Option<V>["check"]): Option<V> => ({ check, setBy: "program" });
const byCall = <V>(check: Option<V>["check"]): Option<V> => ({ check, setBy: "call" });
const typed = (type: "boolean" | "object") => (name: string, value: unknown) => {
  if (value !== undefined) checkType(name, value, type);
};

/** The options with each field present. */
type Given = { readonly [K in keyof Required<AnySpawnOptions>]: AnySpawnOptions[K] };

const TABLE: { readonly [K in keyof Given]: Option<Given[K]> } = {
  id: byCall(checkText),
  name: byCall(checkText),
  title: byCall(checkText),
  callId: byCall(checkText),
  // The scope of the spawn looks the parent up.
  parent: byCall(() => {}),
  root: byCall(typed("boolean")),
  signal: byCall(checkSignal),
  agent: byProgram(checkText),
  createdBy: byProgram(checkText),
  runId: byProgram(checkText),
  lane: byProgram(checkText),
  laneKey: byProgram(checkText),
  priority: byProgram(checkFinite),
  weight: byProgram((_, value) => void takeWeight(value)),
  wake: byProgram((name, value) => checkOneOf(name, value, ["silent", "onTerminal", "onActivity"])),
  children: byProgram((name, value) => checkOneOf(name, value, ["await", "cancel", "detach"])),
  detached: byProgram(typed("boolean")),
  timeoutMs: byProgram(checkMs),
  elapsedTimeoutMs: byProgram(checkMs),
  totalTimeoutMs: byProgram(checkMs),
  stallTimeoutMs: byProgram(checkMs),
  graceMs: byProgram(checkMs),
  retry: byProgram((_, value) => void takeRetry(value)),
  budget: byProgram((_, value) => void takeBudget(value)),
  tags: byProgram(checkTags),
  // The values are checked when they are copied: copying may run user code, and runs it once.
  metadata: byProgram(typed("object")),
};

const NAMES = Object.keys(TABLE) as readonly (keyof AnySpawnOptions)[];
/** The names of all options; `input` belongs to the kind of a spawn. */
const KNOWN: ReadonlySet<string> = new Set(["input", ...NAMES]);
/** The names that a program may set for every spawn of a model. */
const KNOWN_TO_TOOLS: ReadonlySet<string> = new Set(NAMES.filter((name) => TABLE[name].setBy === "program"));

/** Checks the names and the values of the options of one spawn, with the input of its kind. */
export function takeSpawnOptions<R>(options: TakenOptions<R>): TakenOptions<R> {
  const taken = ownFields(options);
  checkKnown("spawn", taken, KNOWN);
  checkValues(taken);
  if (taken.root && taken.parent !== undefined) throw new TypeError("root and parent exclude each other: give one");
  return taken;
}

/** Checks the options that a program sets for every spawn of a model. */
export function takeToolSpawnOptions(options: AnySpawnOptions): AnySpawnOptions {
  const taken = ownFields(options);
  checkKnown("tools.spawn", taken, KNOWN_TO_TOOLS);
  checkValues(taken, "spawn.");
  return taken;
}

/** The options as fields of one plain object: an object of a class may inherit some, or read them from elsewhere. */
function ownFields<O extends TakenOptions>(options: O): O {
  if (typeof options !== "object" || options === null) return options;
  const prototype: unknown = Object.getPrototypeOf(options);
  if (prototype === Object.prototype || prototype === null) return options;
  const inherited = [...KNOWN].filter((name) => name in options && !Object.hasOwn(options, name));
  if (inherited.length === 0) return options;
  return { ...options, ...Object.fromEntries(inherited.map((name) => [name, Reflect.get(options, name)])) };
}

function checkValues(options: TakenOptions, prefix = ""): void {
  // `checkKnown` has found no name beside these.
  for (const name of Object.keys(options) as (keyof TakenOptions)[])
    if (name !== "input") checkValue(name, options[name], prefix);
}

function checkValue<K extends keyof Given>(name: K, value: Given[K], prefix: string): void {
  TABLE[name].check(`${prefix}${name}`, value);
}
