// Artifact: checks an artifact of a task and copies it: a path, a url, both, or a chunk of data.

import type { Artifact, ArtifactInput } from "../core/task/record.js";
import { checkFields, checkText, checkType, show } from "../core/values/checks.js";
import { nodeUtil } from "../core/values/node.js";

const FIELDS = ["name", "type", "path", "url", "data"] as const;

/**
 * Returns a frozen copy, with bytes as base64. Throws a `TypeError` for an unknown field, for a missing name or type,
 * for an artifact without path, url and data, and for data beside a path or a url.
 */
export function takeArtifact(artifact: ArtifactInput): Artifact {
  checkFields("artifact", artifact, FIELDS);
  const { name, type, path, url, data } = artifact;
  checkType("artifact.name", name, "string");
  checkType("artifact.type", type, "string");
  checkText("artifact.path", path);
  checkText("artifact.url", url);
  const isPlaced = path !== undefined || url !== undefined;
  if (isPlaced && data !== undefined)
    throw new TypeError("artifact.data excludes artifact.path and artifact.url: give the data, or where it is");
  if (path !== undefined) return Object.freeze({ name, type, path, ...(url === undefined ? {} : { url }) });
  if (url !== undefined) return Object.freeze({ name, type, url });
  if (typeof data === "string") return Object.freeze({ name, type, data, encoding: "utf8" });
  // The check accepts bytes of every realm, unlike `instanceof`.
  if (nodeUtil.types.isUint8Array(data)) {
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
    return Object.freeze({ name, type, data: text, encoding: "base64" });
  }
  throw new TypeError(`artifact must have a path, a url, or data that is a string or bytes, got ${show(data)}`);
}
