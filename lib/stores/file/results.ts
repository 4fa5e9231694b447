// Results: the outputs that are too long for the journal, one sealed file for each in `results/`.
//
// A fault of one file, or of the directory, affects the outputs in it only (D2).

import path from "node:path";
import { JournalCorruptError } from "../../core/task/errors.js";
import type { Json } from "../../core/values/json.js";
import { fieldOf } from "../../core/values/safe-read.js";
import { type Disk, makeDurableDirectory } from "./disk.js";
import { outputName } from "./output-name.js";
import { readSealed, UNFINISHED, writeSealed } from "./sealed-file.js";

/** Added to the name of a file, or a directory, that has the name of another. */
const MOVED_ASIDE = ".moved-aside";

function ignoreCorrupt(error: unknown): undefined {
  if (!(error instanceof JournalCorruptError)) throw error;
}

/** The outputs in the directory of a store. */
export class Results {
  readonly #disk: Disk;
  readonly #directory: string;
  #written = 0;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#directory = path.join(directory, "results");
  }

  /** The directory of the outputs. */
  get directory(): string {
    return this.#directory;
  }

  /**
   * Stores an output and replaces an older one of the same task. `mayPut` is called just before the replacement and may
   * throw.
   */
  put(taskId: string, output: Json, mayPut: () => void): Promise<void> {
    // Two outputs of one task that are stored at once have two files until each is whole. The last rename wins.
    const written = `.${++this.#written}`;
    const sealed = { what: "output", about: { taskId }, value: output };
    const file = this.fileOf(taskId);
    const write = () => writeSealed(this.#disk, file, sealed, mayPut, written);
    return write().catch(async (error: unknown) => {
      if (fieldOf(error, "code") !== "EISDIR") throw error;
      mayPut();
      await this.#disk.rename(file, `${file}${MOVED_ASIDE}`);
      await write();
    });
  }

  /** Makes the directory. A file with its name is moved aside: it costs neither an output nor the store (D2). */
  async make(): Promise<void> {
    try {
      await makeDurableDirectory(this.#disk, this.#directory);
    } catch (error) {
      const code = fieldOf(error, "code");
      if (code !== "EEXIST" && code !== "ENOTDIR") throw error;
      await this.#disk.rename(this.#directory, `${this.#directory}${MOVED_ASIDE}`);
      await makeDurableDirectory(this.#disk, this.#directory);
    }
  }

  /**
   * Reads an output; `undefined` if there is no file. `JournalCorruptError` if the file is broken, or cannot be read.
   */
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

  /**
   * Deletes all outputs that can be deleted, then throws the first error. `mayDelete` is called before each and may
   * throw.
   */
  async delete(taskIds: readonly string[], mayDelete: () => void): Promise<void> {
    const failures: unknown[] = [];
    for (const taskId of taskIds) {
      mayDelete();
      await this.#disk.remove(this.fileOf(taskId)).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Deletes unfinished files that a crash left. Other files stay, and errors are ignored: an unfinished file does no
   * harm.
   */
  async clear(): Promise<void> {
    const names = await this.#disk.list(this.#directory).catch(() => []);
    for (const name of names) {
      if (name.endsWith(UNFINISHED)) await this.#disk.remove(path.join(this.#directory, name)).catch(() => undefined);
    }
  }

  /** Resolves with the tasks that have a whole output here. */
  async intactTasks(): Promise<ReadonlySet<string>> {
    const whole = new Set<string>();
    const names = await this.#disk.list(this.#directory).catch(() => []);
    for (const name of names.filter((each) => each.endsWith(".json"))) {
      const file = path.join(this.#directory, name);
      const fields = await readSealed(this.#disk, file, "output").catch(ignoreCorrupt);
      const taskId = fields?.["taskId"];
      if (typeof taskId === "string" && this.fileOf(taskId) === file && fields?.["output"] !== undefined)
        whole.add(taskId);
    }
    return whole;
  }

  /** Returns the path of a task's output, whether the file exists or not. */
  fileOf(taskId: string): string {
    return path.join(this.#directory, outputName(taskId));
  }
}
