// Copies: several copies of errand in one process, such as a bundle for each route, or a module that is loaded again.
//
// Owns the brands by which one copy recognises objects of another, and the objects that all copies of one version
// share. A brand belongs to one version: a copy refuses the brand of another version with an error.

/** The version of this copy. */
export const VERSION = "0.1.0";

interface Branded<T> {
  readonly version: string;
  readonly content: T;
}

/** The brand of one sort of object that may come from another copy. */
export class Brand<T extends object> {
  readonly #symbol: symbol;

  constructor(name: string) {
    this.#symbol = Symbol.for(`errand.${name}`);
  }

  /** Marks `target`. `read` returns the value that the brand carries. */
  mark(target: object, read: (target: never) => T): void {
    const get = function (this: never): Branded<T> {
      return { version: VERSION, content: read(this) };
    };
    Object.defineProperty(target, this.#symbol, { get });
  }

  /**
   * The value that the brand of `value` carries; `undefined` without a brand. `TypeError`: the brand is of another
   * version.
   */
  read(option: string, value: object): T | undefined {
    const branded: unknown = Reflect.get(value, this.#symbol);
    if (typeof branded !== "object" || branded === null) return undefined;
    const { version, content } = branded as Partial<Branded<T>>;
    if (version === VERSION) return content;
    throw new TypeError(
      `${option} comes from another copy of errand, of version ${String(version)}, and this copy is of version ${VERSION}: let both be of one version`,
    );
  }
}

/** The object that all copies of this version share under `name`. */
export function shared<T extends object>(name: string, make: () => T): T {
  const key = Symbol.for(`errand.${name}@${VERSION}`);
  const known: unknown = Reflect.get(globalThis, key);
  if (typeof known === "object" && known !== null) return known as T;
  const made = make();
  // A frozen global object keeps no object: then each copy has its own.
  Reflect.defineProperty(globalThis, key, { value: made });
  return made;
}
