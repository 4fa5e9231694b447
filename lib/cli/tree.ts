// Tree: which tasks of a journal are shown, and the branches they hang on.
//
// What lives is always shown. Of what has ended, the newest few under each parent are; the others are counted in one line, first, where
// they would have stood. A task that does not fit the filter is shown when one below it does, so that the tree holds together.

import type { TaskRecord, TaskTree } from "errand";
import { isOver } from "./status.js";

/** How many of the ended ones are shown under each parent. */
const ENDED_SHOWN = 20;

export interface Branch {
  /** `│ ├ `; empty for a root. */
  readonly twigs: string;
  /** A task; or how many that have ended are not shown here. */
  readonly shows: TaskRecord | number;
}

export interface TreeChoice {
  readonly isAll: boolean;
  readonly fits: (record: TaskRecord) => boolean;
}

export function branchesOf(roots: readonly TaskTree[], { isAll, fits }: TreeChoice): readonly Branch[] {
  const sums = sumUp(roots, fits);
  const branches: Branch[] = [];
  // Not by recursion: a tree may be deeper than the stack.
  const open = twigsOf(roots, "");
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { twigs, below, tree } = next;
    branches.push({ twigs, shows: typeof tree === "number" ? tree : tree.record });
    if (typeof tree !== "number") open.push(...twigsOf(tree.children, below));
  }
  return branches;

  /** The last one first, to be taken from the end. */
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
  /** What stands before the twigs of its children. */
  readonly below: string;
}

interface Sum {
  /** How many of it and those below it fit. */
  fitting: number;
  /** It and all below it. */
  isOver: boolean;
}

function sumUp(roots: readonly TaskTree[], fits: TreeChoice["fits"]): ReadonlyMap<TaskTree, Sum> {
  const found: { readonly tree: TaskTree; readonly above?: TaskTree }[] = roots.map((tree) => ({ tree }));
  // The list grows as it is walked.
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
