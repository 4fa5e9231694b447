// What a record, an event or a message can carry, and how errand says that it cannot.

import { EventEmitter } from "node:events";
import { Readable } from "node:stream";
import { runInNewContext } from "node:vm";
import { defineKind, TaskManager } from "errand";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { copyJson, type Json, takeJson } from "../../../lib/core/values/json.js";

function carried(value: unknown): Json {
  const copy = copyJson(value);
  if (!copy.ok) throw new Error(copy.why);
  return copy.json;
}

function refused(value: unknown): string {
  const copy = copyJson(value);
  if (copy.ok) throw new Error(`carried: ${JSON.stringify(copy.json)}`);
  return copy.why;
}

const fails = (): never => {
  throw new Error("out of paper");
};

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function isFrozenToItsLeaves(json: Json): boolean {
  return typeof json !== "object" || json === null
    ? true
    : Object.isFrozen(json) && Object.values(json).every(isFrozenToItsLeaves);
}

/** What it holds no field shows. */
class Hidden {
  readonly #at = 1;
  get at(): number {
    return this.#at;
  }
}

describe("§12 nothing of a value is dropped", () => {
  test("a list with a field beside its items is refused, and the error says what to pass instead", () => {
    const match = "a=1".match(/(?<name>\w)=/);
    expect(refused(match)).toBe('$: a list with a field "index" beside its items: pass { items, index } instead');
    expect(refused({ found: [1, Object.assign([2], { total: 9 })] })).toMatch(/^\$\.found\[1\]: .*"total"/);
    // A field that is hidden, such as `raw` of a template, is no content.
    const template = ((strings: TemplateStringsArray, ..._values: number[]) => strings)`a${1}b`;
    expect(carried(template)).toEqual(["a", "b"]);
    expect(carried([...(match ?? [])])).toEqual(["a=", "a"]);
  });

  test("a key that is a symbol is refused, with its place; a hidden one is no content", () => {
    const kind = Symbol("kind");
    expect(refused({ a: { [kind]: 1 } })).toBe("$.a: a field with the key Symbol(kind): use a string as the key");
    expect(refused({ a: [Object.assign([], { [kind]: 1 })] })).toMatch(/^\$\.a\[0\]: .*Symbol\(kind\)/);
    expect(carried(Object.defineProperty({ a: 1 }, kind, { value: 1 }))).toEqual({ a: 1 });
  });

  test("as an input it is refused, as an output it is left out of the record, which says why", async () => {
    const find = defineKind({ name: "find", run: (_ctx, _input: { match?: unknown }) => "a".match(/a/) });
    const manager = new TaskManager({ kinds: [find] });
    expect(() => manager.spawn(find, { input: { match: "a".match(/a/) } })).toThrow(
      /^input must be a value that JSON can carry; at \$\.match: a list with a field "index"/,
    );
    const handle = manager.spawn(find, { input: {} });
    expect(await handle.result()).toMatchObject({ index: 0 });
    expect(handle.record.outputOmitted).toContain('a list with a field "index"');
    expect(handle.record).not.toHaveProperty("output");
    await manager.close();
  });
});

describe("a value JSON can carry", () => {
  test("comes back as JSON writes it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.stringify(carried(value))).toBe(JSON.stringify(value));
      }),
    );
  });

  test("is copied, and the copy is frozen to its leaves", () => {
    const value = { pages: [{ words: 3 }], "": {} };
    const copy = carried(value);
    value.pages.push({ words: 4 });
    expect(copy).toEqual({ pages: [{ words: 3 }], "": {} });
    fc.assert(fc.property(fc.jsonValue(), (json) => isFrozenToItsLeaves(carried(json))));
    expect(Object.isFrozen(value)).toBe(false);
  });

  test("may leave fields undefined: they are left out", () => {
    expect(Object.keys(carried({ a: undefined, b: 1 }) ?? {})).toEqual(["b"]);
  });

  test("may have a field named __proto__, which sets no prototype", () => {
    const copy = carried(JSON.parse('{ "__proto__": { "isAdmin": true }, "a": { "__proto__": 1 } }'));
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(copy).not.toHaveProperty("isAdmin");
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"isAdmin":true},"a":{"__proto__":1}}');
    expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
  });

  test("may have fields named like an object's own: constructor, hasOwnProperty, length", () => {
    const value = { constructor: 1, hasOwnProperty: "2", length: 3, toString: null };
    expect(JSON.stringify(carried(value))).toBe(JSON.stringify(value));
  });

  test("may have no prototype, or a class of its own", () => {
    class Page {
      words = 3;
      #secret = 4;
      get twice(): number {
        return this.#secret + this.words;
      }
    }
    expect(carried(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 });
    expect(JSON.stringify(carried(new Page()))).toBe('{"words":3}');
  });

  test("may be of another realm", () => {
    expect(carried(runInNewContext("({ a: [{}, Object.create(null)], at: new Date(0) })"))).toEqual({
      a: [{}, {}],
      at: new Date(0).toJSON(),
    });
  });

  test("may hold one object twice: that is no cycle", () => {
    const shared = { page: 1 };
    expect(carried({ first: shared, then: [shared, { again: shared }] })).toEqual({
      first: { page: 1 },
      then: [{ page: 1 }, { again: { page: 1 } }],
    });
  });

  test("may say itself what it is: toJSON is asked, once", () => {
    const at = new Date(0);
    let asked = 0;
    const money = { toJSON: () => ({ cents: ++asked }) };
    expect(carried({ at, deep: [at] })).toEqual({ at: at.toJSON(), deep: [at.toJSON()] });
    expect(carried(money)).toEqual({ cents: 1 });
    expect(carried(new URL("https://example.org/a"))).toBe("https://example.org/a");
    expect(carried({ toJSON: "no function" })).toEqual({ toJSON: "no function" });
  });

  test("is read by each getter once", () => {
    let reads = 0;
    const value = {
      get page() {
        return ++reads;
      },
    };
    expect(carried(value)).toEqual({ page: 1 });
  });

  test("may be minus zero, which JSON writes as zero", () => {
    expect(Object.is(carried(-0), 0)).toBe(true);
  });

  test("may be nested a thousand deep, which takes no time to speak of", () => {
    let value: Json = 1;
    for (let depth = 0; depth < 1_000; depth += 1) value = depth % 2 === 0 ? [value] : { in: value };
    expect(JSON.stringify(carried(value))).toBe(JSON.stringify(value));
  });

  test("may be wide", () => {
    const wide = Array.from({ length: 100_000 }, (_, index) => index);
    expect(carried(wide)).toEqual(wide);
  });
});

describe("a value JSON cannot carry", () => {
  const loop: { self?: unknown; list: unknown[] } = { list: [] };
  loop.self = loop;
  const ring: unknown[] = [];
  ring.push([ring]);
  const parent = { child: { parent: {} } };
  parent.child.parent = parent;

  test.each<[what: string, value: unknown, why: string]>([
    ["undefined", undefined, "$: undefined"],
    ["a bigint", 1n, "$: a bigint"],
    ["a symbol", Symbol("s"), "$: a symbol"],
    ["a function", () => 1, "$: a function"],
    ["NaN", Number.NaN, "$: NaN"],
    ["Infinity", Infinity, "$: Infinity"],
    ["-Infinity", -Infinity, "$: -Infinity"],
    ["a Map", new Map([["a", 1]]), "$: a Map"],
    ["a Set", new Set(), "$: a Set"],
    ["bytes", new Uint8Array(2), "$: a Uint8Array"],
    ["a DataView", new DataView(new ArrayBuffer(2)), "$: a DataView"],
    ["an ArrayBuffer", new ArrayBuffer(2), "$: a ArrayBuffer"],
    ["undefined in an array", { items: [1, undefined] }, "$.items[1]: undefined"],
    // oxlint-disable-next-line no-sparse-arrays
    ["a hole in an array", [1, , 3], "$[1]: undefined"],
    ["a function in a field", { items: [{}, { run: () => 1 }] }, "$.items[1].run: a function"],
    ["a bigint below", { a: { b: [[0n]] } }, "$.a.b[0][0]: a bigint"],
    ["NaN below", [[Number.NaN]], "$[0][0]: NaN"],
    ["a cycle to the top", loop, "$.self: a cycle"],
    ["a cycle in arrays", ring, "$[0][0]: a cycle"],
    ["a cycle below the top", [parent], "$[0].child.parent: a cycle"],
    ["a toJSON that gives what JSON cannot carry", { at: { toJSON: () => 1n } }, "$.at: a bigint"],
    ["an invalid date, whose toJSON is null", { at: new Date(Number.NaN) }, "$.at: an invalid Date"],
    ["a Buffer, whose toJSON is a list of numbers", { image: Buffer.alloc(2) }, "$.image: a Buffer"],
    ["an object of a class that shows nothing", [new Hidden()], "$[0]: a Hidden"],
    ["a stream, which shows its machinery", { body: Readable.from([]) }, "$.body: a Readable"],
    ["an emitter", new EventEmitter(), "$: a EventEmitter"],
  ])("%s is refused, with its place", (_what, value, why) => {
    expect(refused(value)).toBe(why);
  });

  const fiftyMegabytes = Buffer.alloc(50_000_000, 7);
  test.each<[where: string, value: unknown]>([
    ["alone", fiftyMegabytes],
    ["in an object", { image: { bytes: fiftyMegabytes } }],
    ["in a list, many times", [1, "a", fiftyMegabytes, fiftyMegabytes]],
    ["as a view", new Uint8ClampedArray(fiftyMegabytes.buffer)],
    ["as words", new BigInt64Array(fiftyMegabytes.buffer, 0, 1_000)],
    ["as a DataView", new DataView(fiftyMegabytes.buffer)],
    ["as an ArrayBuffer", { bytes: fiftyMegabytes.buffer }],
    ["of another realm", runInNewContext("[new Uint8Array(50_000_000)]")],
    [
      "of a class of its own with a toJSON",
      new (class extends Uint8Array {
        toJSON = () => [...this];
      })(50_000_000),
    ],
    ["given by a toJSON", { toJSON: () => fiftyMegabytes }],
  ])("§12 bytes %s are refused before a single one is read", (_where, value) => {
    const { user, system } = process.cpuUsage();
    expect(refused(value)).toMatch(/: a (Buffer|Uint8ClampedArray|BigInt64Array|DataView|ArrayBuffer|Uint8Array|\w*)$/);
    const spent = process.cpuUsage({ user, system });
    // A list of fifty million numbers takes seconds.
    expect(spent.user + spent.system).toBeLessThan(200_000);
  });

  async function* pages() {
    yield 1;
  }
  test.each<[what: string, value: unknown]>([
    ["a boxed bigint", Object(1n)],
    ["a boxed symbol", Object(Symbol("s"))],
    ["a Promise", Promise.resolve(1)],
    ["a WeakMap", new WeakMap()],
    ["a RegExp", /paper/u],
    ["an Error", new Error("out of paper")],
    ["shared bytes", new SharedArrayBuffer(2)],
    ["a fetch's Response", new Response("text")],
    ["Headers", new Headers({ a: "b" })],
    ["a URLSearchParams", new URLSearchParams("a=b")],
    ["a Blob", new Blob(["text"])],
    ["a DOMException", new DOMException("out of paper")],
    ["an iterator", new Map([["a", 1]]).values()],
    ["an async generator", pages()],
  ])("%s is refused too: nothing of it would be left", (_what, value) => {
    expect(refused({ value })).toMatch(/^\$\.value: a/u);
  });

  test.each<[what: string, value: unknown, json: Json]>([
    ["string", Object("ab"), "ab"],
    ["number", Object(5), 5],
    ["boolean", Object(false), false],
  ])("a boxed %s is carried as JSON writes it, or refused, but never as something else", (_what, value, json) => {
    const copy = copyJson([value]);
    if (copy.ok) expect(copy.json).toEqual([json]);
  });

  test("one that throws when it is read is refused with its words", () => {
    expect(
      refused({
        get page() {
          return fails();
        },
      }),
    ).toContain("out of paper");
    expect(refused({ toJSON: fails })).toContain("out of paper");
    expect(refused(new Proxy({}, { ownKeys: fails }))).toContain("out of paper");
    expect(refused(new Proxy({}, { has: fails }))).toContain("out of paper");
    expect(refused(new Proxy({}, { get: fails, has: () => true }))).toContain("out of paper");
  });

  test("one that throws a RangeError of its own is not said to be deep", () => {
    const value = {
      get page() {
        throw new RangeError("page 9 of 8");
      },
    };
    expect(refused(value)).toContain("page 9 of 8");
  });

  test.each<[what: string, error: unknown]>([
    ["nothing", undefined],
    ["a symbol", Symbol("s")],
    ["an object without a prototype", Object.create(null)],
    ["an object whose toString throws", { toString: fails }],
    ["a revoked proxy", revoked()],
  ])("one that throws %s is refused, and nothing is thrown", (_what, error) => {
    const value = {
      get page() {
        throw error;
      },
    };
    expect(typeof refused(value)).toBe("string");
  });

  test("a revoked proxy is refused, and nothing is thrown", () => {
    expect(typeof refused({ proxy: revoked() })).toBe("string");
  });

  test("one that is nested too deeply is refused, and nothing is thrown", () => {
    let value: unknown[] = [];
    for (let depth = 0; depth < 200_000; depth += 1) value = [value];
    expect(refused(value)).toBe("nested too deeply");
    const endless = { toJSON: (): unknown => ({ in: { toJSON: endless.toJSON } }) };
    expect(refused(endless)).toBe("nested too deeply");
  });

  test("§12 one that holds itself many times, though never in a cycle, is refused in bounded time", () => {
    let value: object = {};
    for (let depth = 0; depth < 60; depth++) value = { a: value, b: value };
    expect(refused(value)).toBe("too large: it has more than 2000000 objects and lists");
  });

  test("any object at all is carried or refused, never thrown", () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        const copy = copyJson(value);
        // What was carried is JSON through and through: it survives being written and read.
        if (copy.ok) expect(JSON.stringify(JSON.parse(JSON.stringify(copy.json)))).toBe(JSON.stringify(copy.json));
        else expect(copy.why).not.toBe("");
      }),
      { numRuns: 500 },
    );
  });
});

describe("what a caller hands over", () => {
  test("is a TypeError that names the option and the place", () => {
    expect(takeJson("payload", { a: [1] })).toEqual({ a: [1] });
    expect(() => takeJson("payload", { a: [1n] })).toThrow(
      new TypeError("payload must be a value that JSON can carry; at $.a[0]: a bigint"),
    );
    expect(() => takeJson("details", undefined)).toThrow(TypeError);
  });
});
