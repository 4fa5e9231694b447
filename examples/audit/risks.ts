// What in a package needs a person's yes: code that npm runs while installing, terms nobody has read or that bind the whole product,
// files that are not those the lockfile names, and a manifest that does not say which package was installed. Everything else the audit finds is
// only noted.

import type { Verification } from "./integrity.js";
import type { Licence } from "./licence.js";
import type { Manifest } from "./manifest.js";

export interface Risk {
  readonly kind: "other-identity" | "install-script" | "unknown-licence" | "strong-copyleft" | "changed-files";
  readonly words: string;
}

export function risksOf(manifest: Manifest, licence: Licence, files: Verification): Risk[] {
  const risks: Risk[] = [];
  // An npm alias calls itself otherwise too: the person who made it can say so.
  const { doubts } = manifest.identity;
  if (doubts.length > 0) risks.push({ kind: "other-identity", words: doubts.join(", ") });
  if (manifest.installScripts.length > 0) {
    risks.push({ kind: "install-script", words: `runs on install: ${manifest.installScripts.join(" && ")}` });
  }
  if (licence.class === "unknown")
    risks.push({ kind: "unknown-licence", words: `unknown licence: ${licence.problems.join(", ")}` });
  if (licence.class === "strong copyleft")
    risks.push({ kind: "strong-copyleft", words: `strong copyleft: ${licence.name}` });
  if (files.status === "changed") {
    const [first, ...more] = files.changes;
    risks.push({
      kind: "changed-files",
      words: `not what the lockfile names: ${first}${more.length > 0 ? ` and ${more.length} more` : ""}`,
    });
  }
  return risks;
}
