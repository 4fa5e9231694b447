// The plan of an audit: which packages, in which order, and what the lockfile says of each.
//
// A plain function, so that the audit needs no key and no network. Those with an install script go first: they will ask a person, who can
// answer while the rest goes on.

import { type Locked, readLockfile } from "./integrity.js";
import { findPackages, type InstalledPackage } from "./packages.js";

export interface Planned {
  readonly pkg: InstalledPackage;
  readonly locked: Locked | undefined;
}

export async function makePlan(project: string, signal: AbortSignal): Promise<Planned[]> {
  const lockfile = await readLockfile(project, signal);
  const packages = await findPackages(project, signal);
  const plan = packages.map((pkg) => ({ pkg, locked: lockfile?.get(pkg.path) }));
  return plan.toSorted(
    (a, b) => Number(b.locked?.hasInstallScript ?? false) - Number(a.locked?.hasInstallScript ?? false),
  );
}
