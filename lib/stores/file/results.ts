// Results: the outputs that are too long for the journal, one sealed file each in `results/`.
//
// D2: what is wrong with one file, or with the directory, is said of the outputs that were in it, and of nothing else.

import path from "node:path";
import { JournalCorruptError } from "../../core/task/errors.js";
import type { Json } from "../../core/values/json.js";
import type { Disk } from "./disk.js";
import { outputName } from "./output-name.js";
import { readSealed, UNFINISHED, writeSealed } from "./sealed-file.js";

function unlessShort(error: unknown): undefined {
  if (!(error instanceof JournalCorruptError)) throw error;
}

export class Results {
  readonly #disk: Disk;
  readonly #directory: string;
  #written = 0;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = path.join(directory, "results");
  }

  get directory(): string {
    return this.#directory;
  }

  /** `mayPut` is asked before an older one is replaced. */
  put(taskId: string, output: Json, mayPut: () => void): Promise<void> {
    // Two for one task at the same time are two files until each is whole; the name that came last stays.
    const written = `.${++this.#written}`;
    const sealed = { what: "output", about: { taskId }, value: output };
    return writeSealed(this.#disk, this.fileOf(taskId), sealed, mayPut, written);
  }

  /** `undefined`: there is no file. `JournalCorruptError`: it is not whole, or cannot be read. */
  async get(taskId: string): Promise<Json | undefined> {
    const file = this.fileOf(taskId);
    const fields = await readSealed(this.#disk, file, "output");
    if (fields === undefined) return undefined;
    const { output } = fields;
    if (fields["taskId"] !== taskId)
      throw new JournalCorruptError(file, 1, 0, `this is the output of task ${JSON.stringify(fields["taskId"])}`);
    if (output === undefined) throw new JournalCorruptError(file, 1, 0, "it has no output");
    return output;
  }

  /** Deletes all that can be deleted, and then throws what the disk said of the others. */
  async delete(taskIds: readonly string[], mayDelete: () => void): Promise<void> {
    const failures: unknown[] = [];
    for (const taskId of taskIds) {
      mayDelete();
      await this.#disk.remove(this.fileOf(taskId)).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Deletes what a crash left unfinished. What is not the store's may be there too, and what cannot be deleted does no harm. */
  async clear(): Promise<void> {
    const names = await this.#disk.list(this.#directory).catch(() => []);
    for (const name of names) {
      if (name.endsWith(UNFINISHED)) await this.#disk.remove(path.join(this.#directory, name)).catch(() => undefined);
    }
  }

  /** The tasks whose outputs are here, and whole. */
  async whole(): Promise<ReadonlySet<string>> {
    const whole = new Set<string>();
    const names = await this.#disk.list(this.#directory).catch(() => []);
    for (const name of names.filter((each) => each.endsWith(".json"))) {
      const file = path.join(this.#directory, name);
      const fields = await readSealed(this.#disk, file, "output").catch(unlessShort);
      const taskId = fields?.["taskId"];
      if (typeof taskId === "string" && this.fileOf(taskId) === file && fields?.["output"] !== undefined)
        whole.add(taskId);
    }
    return whole;
  }

  /** Where the output of a task is, or would be. */
  fileOf(taskId: string): string {
    return path.join(this.#directory, outputName(taskId));
  }
}
