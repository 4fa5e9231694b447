// Find task: finds a task by a part of its id.

import type { StoreView, TaskRecord } from "errand";
import { CommandError } from "./command.js";
import { idWord, singleSpaced } from "./printable.js";
import { shellWord } from "./shell-word.js";
import { kindOf, labelOf } from "./task-text.js";

const CANDIDATES_SHOWN = 10;

/**
 * Finds a task by its whole id, by whole segments at the end of the id (`7` finds `task_ab12_7`), or by a beginning or
 * an end that no other id has. Throws a `CommandError` with exit code 1 when no task fits, or more than one.
 */
export function findTask(view: StoreView, directory: string, id: string): TaskRecord {
  const records = view.list();
  // The printed form of an id may differ from the id, so a printed form is accepted too.
  const exact =
    records.find((record) => record.id === id) ?? onlyOne(records, (record) => singleSpaced(record.id) === id);
  if (exact !== undefined) return exact;
  const bySegments = records.filter((record) => record.id.endsWith(`_${id}`));
  const fitting =
    bySegments.length > 0 ? bySegments : records.filter((record) => record.id.startsWith(id) || record.id.endsWith(id));
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
