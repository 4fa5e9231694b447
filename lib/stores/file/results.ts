// Results: the outputs that are too long for the journal, one sealed file each in `results/`.

import path from "node:path";
import { JournalCorruptError } from "../../core/errors.js";
import type { Json } from "../../core/json.js";
import { type Disk, isMissing } from "./disk.js";
import { outputName } from "./output-name.js";
import { readSealed, UNFINISHED, writeSealed } from "./sealed-file.js";

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
    return writeSealed(this.#disk, this.#file(taskId), sealed, mayPut, written);
  }

  async get(taskId: string): Promise<Json | undefined> {
    const file = this.#file(taskId);
    const fields = await readSealed(this.#disk, file, "output");
    if (fields !== undefined && fields["taskId"] !== taskId)
      throw new JournalCorruptError(file, 1, 0, `this is the output of task ${JSON.stringify(fields["taskId"])}`);
    return fields?.["output"];
  }

  async delete(taskIds: readonly string[], mayDelete: () => void): Promise<void> {
    for (const taskId of taskIds) {
      mayDelete();
      await this.#disk.remove(this.#file(taskId));
    }
  }

  /** Deletes what a crash left unfinished. */
  async clear(): Promise<void> {
    for (const name of await this.#disk.list(this.#directory)) {
      if (name.endsWith(UNFINISHED)) await this.#disk.remove(path.join(this.#directory, name));
    }
  }

  /** Reads each, and throws at the first that is broken. */
  async verify(): Promise<number> {
    let count = 0;
    for (const name of await this.#names()) {
      await readSealed(this.#disk, path.join(this.#directory, name), "output");
      count++;
    }
    return count;
  }

  async #names(): Promise<readonly string[]> {
    try {
      return (await this.#disk.list(this.#directory)).filter((name) => name.endsWith(".json")).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  #file(taskId: string): string {
    return path.join(this.#directory, outputName(taskId));
  }
}
