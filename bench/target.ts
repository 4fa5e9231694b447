// Target: a bound on a median, and whether what was measured keeps it.
//
// A program writes the judged targets to its results file, where the tables of the documents find them.
import { short } from "./table.js";

export interface Target {
  readonly most?: number;
  readonly least?: number;
  readonly stretch?: number;
  readonly unit: string;
}
export interface Judged {
  readonly what: string;
  readonly measured: number;
  readonly bound: string;
  readonly unit: string;
  readonly verdict: "stretch met" | "met" | "MISSED";
}
/** `undefined` when a part of the measuring was left out (`--only`). */
export function judge(what: string, measured: number | undefined, target: Target | undefined): Judged | undefined {
  if (measured === undefined || target === undefined) return undefined;
  const { most, least, stretch, unit } = target;
  const met = (most === undefined || measured <= most) && (least === undefined || measured >= least);
  const reached = stretch !== undefined && (least === undefined ? measured <= stretch : measured >= stretch);
  const bound = most === undefined ? `≥ ${least}` : `≤ ${most}`;
  const beyond = stretch === undefined ? "" : `, stretch ${stretch}`;
  const verdict = reached ? "stretch met" : met ? "met" : "MISSED";
  return { what, measured, bound: `${bound}${beyond}`, unit, verdict };
}
/** As the last cell of a row; empty where there is no target. */
export function told(judged: Judged | undefined): string {
  if (judged === undefined) return "";
  return `${short(judged.measured)} (${judged.bound} ${judged.unit}) ${judged.verdict}`;
}
