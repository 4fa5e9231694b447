// Which package a folder is, and how a policy names it.
//
// The folder says the name, because that is what was installed: whatever a manifest claims, no rule for another package applies to it.
// A name or a version that npm would refuse is spelt so that no rule can take it for another, and is asked about.

export interface Identity {
  /** `name@version`, as a policy names it. */
  readonly id: string;
  /** As npm reads it: without blanks around it, and without `v` or `=` before it. */
  readonly version: string;
  /** Why the manifest cannot be believed. */
  readonly doubts: readonly string[];
}

// As npm takes them; capitals are from before 2015 and still about.
const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/iu;
// https://semver.org
const NUMBER = "(?:0|[1-9]\\d*)";
const IDS = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const VERSION = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-${IDS})?(?:\\+${IDS})?$`, "u");

/** `folder`: the name its folder has; `claimed` and `written`: what its manifest says. */
export function identify(folder: string, claimed: string, written: string): Identity {
  const version = written.trim().replace(/^[=v\s]+/u, "");
  const doubts: string[] = [];
  if (claimed !== folder) doubts.push(`calls itself ${JSON.stringify(claimed)}`);
  if (!NAME.test(folder)) doubts.push("has a name that npm refuses");
  if (!VERSION.test(written)) doubts.push(`has no valid version: ${JSON.stringify(written)}`);
  const id = `${spelt(folder, NAME)}@${spelt(version, VERSION)}`;
  return { id, version, doubts };
}

function spelt(text: string, valid: RegExp): string {
  return valid.test(text) ? text : encodeURIComponent(text.replaceAll(/\p{Cs}/gu, "\uFFFD"));
}
