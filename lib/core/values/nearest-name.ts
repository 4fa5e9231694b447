// Nearest name: the known name that an unknown one probably means.
//
// Pure. A name that is written in another case (`input_tokens`), cut short (`timeout`), or misspelt by a few letters
// has a nearest one.

import { idInWords } from "./safe-read.js";

/** ` (did you mean timeoutMs?)`, or an empty text when no name is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : ` (did you mean ${idInWords(nearest)}?)`;
}

/** The nearest name. `undefined`: no name is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const meant = plain(name);
  if (meant.length === 0 || meant.length > LONGEST) return undefined;
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const each of known) {
    const steps = stepsBetween(meant, plain(each));
    if (steps >= least) continue;
    least = steps;
    nearest = each;
  }
  return nearest;
}

/** The length from which a text is no misspelt name. */
const LONGEST = 64;

/** The name without case and separators, in which names of other libraries differ. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** The number of letters that differ, from 0 on; `Infinity` when the two are not near. */
function stepsBetween(a: string, b: string): number {
  if (a === b) return 0;
  // Two durations are compared by what they measure: `perMs` and `periodMs`.
  if (a.endsWith("ms") && b.endsWith("ms")) return stepsBetween(a.slice(0, -2), b.slice(0, -2));
  const shorter = Math.min(a.length, b.length);
  // One name is the beginning of the other, or has a unit behind it. A single misspelling is more certain.
  if (shorter >= 3 && (a.startsWith(b) || b.startsWith(a))) return 1.5;
  const steps = edits(a, b);
  return steps <= Math.max(1, Math.floor(shorter / 3)) ? steps : Number.POSITIVE_INFINITY;
}

/** The number of letters added, left out, replaced, or swapped with their neighbour. */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          (last[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          (last[j - 1] ?? 0) + (isSame ? 0 : 1),
          isSwapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
