// Tree: selects the tasks of a journal that are shown, and draws their branches.
//
// Active tasks are always shown. Under each parent the newest few ended tasks are shown; one line, in their place at
// the top, counts the others. A task that does not fit the filter is shown when a task below it fits, so that the tree
// stays connected.

import type { TaskRecord, TaskTree } from "errand";
import { isOver } from "./status.js";

/** The number of ended tasks shown under each parent. */
const ENDED_SHOWN = 20;

/** One line of the tree. */
export interface Branch {
  /** The characters before the id, such as `│ ├ `; empty for a root. */
  readonly twigs: string;
  /** A task, or the number of ended tasks that are hidden here. */
  readonly shows: TaskRecord | number;
}

/** Which tasks are shown. */
export interface TreeChoice {
  /** Ended tasks are never hidden. */
  readonly isAll: boolean;
  /** Whether a task passes the filter. */
  readonly fits: (record: TaskRecord) => boolean;
}

/** The lines of the trees, from top to bottom. */
export function branchesOf(roots: readonly TaskTree[], { isAll, fits }: TreeChoice): readonly Branch[] {
  const sums = sumUp(roots, fits);
  const branches: Branch[] = [];
  // An explicit stack replaces recursion, because a tree may be deeper than the call stack.
  const open = twigsOf(roots, "");
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { twigs, below, tree } = next;
    branches.push({ twigs, shows: typeof tree === "number" ? tree : tree.record });
    if (typeof tree !== "number") open.push(...twigsOf(tree.children, below));
  }
  return branches;

  /** The lines of siblings in reverse order, because the caller takes them from the end. */
  function twigsOf(trees: readonly TaskTree[], indent: string): Twig[] {
    const wanted = trees.filter((tree) => (sums.get(tree)?.fitting ?? 0) > 0);
    const ended = wanted.filter((tree) => sums.get(tree)?.isOver);
    const hidden = new Set(isAll ? [] : ended.slice(0, -ENDED_SHOWN));
    const count = [...hidden].reduce((sum, tree) => sum + (sums.get(tree)?.fitting ?? 0), 0);
    const shown = [...(count > 0 ? [count] : []), ...wanted.filter((tree) => !hidden.has(tree))];
    const isRoots = trees === roots;
    return shown
      .map((tree, index) => {
        const isLast = index === shown.length - 1;
        if (isRoots) return { tree, twigs: "", below: "" };
        return { tree, twigs: `${indent}${isLast ? "└ " : "├ "}`, below: `${indent}${isLast ? "  " : "│ "}` };
      })
      .reverse();
  }
}

interface Twig {
  readonly tree: TaskTree | number;
  readonly twigs: string;
  /** The characters before the branches of the children. */
  readonly below: string;
}

interface Sum {
  /** The number of tasks in this subtree that pass the filter. */
  fitting: number;
  /** Every task of this subtree has ended. */
  isOver: boolean;
}

function sumUp(roots: readonly TaskTree[], fits: TreeChoice["fits"]): ReadonlyMap<TaskTree, Sum> {
  const found: { readonly tree: TaskTree; readonly above?: TaskTree }[] = roots.map((tree) => ({ tree }));
  // The list grows during this loop.
  for (const { tree } of found) for (const child of tree.children) found.push({ tree: child, above: tree });
  const sums = new Map<TaskTree, Sum>(
    found.map(({ tree }) => [tree, { fitting: fits(tree.record) ? 1 : 0, isOver: isOver(tree.record) }]),
  );
  for (const { tree, above } of found.reverse()) {
    const sum = sums.get(tree);
    const sumAbove = above === undefined ? undefined : sums.get(above);
    if (sum === undefined || sumAbove === undefined) continue;
    sumAbove.fitting += sum.fitting;
    sumAbove.isOver &&= sum.isOver;
  }
  return sums;
}
