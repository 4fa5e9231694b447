// Find task: the task that a part of an id means.

import type { StoreView, TaskRecord } from "errand";
import { CommandError } from "./command.js";
import { idWord, words } from "./printable.js";
import { shellWord } from "./shell-word.js";
import { kindOf, labelOf } from "./task-words.js";

const CANDIDATES_SHOWN = 10;

/** By its whole id, by whole words at its end (`7` is `task_ab12_7`), or by a beginning or an end that only one has. */
export function findTask(view: StoreView, directory: string, id: string): TaskRecord {
  const records = view.list();
  // An id may be printed otherwise than it is.
  const exact = records.find((record) => record.id === id) ?? onlyOne(records, (record) => words(record.id) === id);
  if (exact !== undefined) return exact;
  const byWords = records.filter((record) => record.id.endsWith(`_${id}`));
  const fitting =
    byWords.length > 0 ? byWords : records.filter((record) => record.id.startsWith(id) || record.id.endsWith(id));
  const [first, ...others] = fitting;
  if (first === undefined) {
    throw new CommandError(
      1,
      `There is no task ${idWord(id)} in ${directory}. See errand ls ${shellWord(directory)} --all`,
    );
  }
  if (others.length === 0) return first;
  const shown = fitting.slice(0, CANDIDATES_SHOWN).map((record) => {
    return `  ${[idWord(record.id), record.status, kindOf(record), labelOf(record)].join("  ").trimEnd()}`;
  });
  const more = fitting.length > CANDIDATES_SHOWN ? [`  … and ${fitting.length - CANDIDATES_SHOWN} more`] : [];
  throw new CommandError(1, [`${id} fits ${fitting.length} tasks. Give more of the id:`, ...shown, ...more].join("\n"));
}

function onlyOne(records: readonly TaskRecord[], fits: (record: TaskRecord) => boolean): TaskRecord | undefined {
  const [one, ...others] = records.filter(fits);
  return others.length === 0 ? one : undefined;
}
