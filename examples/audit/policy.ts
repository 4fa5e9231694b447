// Answers that need no person: the rules of a policy file first, then `--approve` or `--deny` for all the rest.
//
// A policy is `{ "approve": { "<rule>": "<reason>" }, "deny": { … } }`. A rule names a risk and a package, `install-script esbuild@0.25.1`,
// in which `*` stands for any text; a denial is stronger than an approval. The package is the one that was installed, which its folder names.

import { readJson } from "./json.js";

export interface Verdict {
  readonly approved: boolean;
  readonly by: string;
  readonly reason: string;
}

export interface Policy {
  readonly file: string;
  readonly approve: readonly Rule[];
  readonly deny: readonly Rule[];
}
interface Rule {
  readonly pattern: RegExp;
  readonly reason: string;
}

export async function readPolicy(file: string): Promise<Policy> {
  const json = await readJson(file);
  for (const key of Object.keys(json))
    if (key !== "approve" && key !== "deny") throw new Error(`unknown field ${JSON.stringify(key)}`);
  return { file, approve: rulesOf("approve", json.approve), deny: rulesOf("deny", json.deny) };
}

/** What the policy says of a request with this key; `undefined` leaves it to others. */
export function judge(policy: Policy, key: string): Verdict | undefined {
  const denied = policy.deny.find((rule) => rule.pattern.test(key));
  const rule = denied ?? policy.approve.find((each) => each.pattern.test(key));
  return rule && { approved: denied === undefined, by: policy.file, reason: rule.reason };
}

function rulesOf(field: string, value: unknown): Rule[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`"${field}" must be an object of rules`);
  return Object.entries(value).map(([rule, reason]: [string, unknown]) => {
    if (typeof reason !== "string" || reason === "")
      throw new Error(`"${field}": the rule ${JSON.stringify(rule)} needs a reason`);
    const pattern = rule
      .split("*")
      .map((text) => text.replaceAll(/[.+?^${}()|[\]\\/]/gu, "\\$&"))
      .join(".*");
    return { pattern: new RegExp(`^${pattern}$`, "us"), reason };
  });
}
