// Artifact: something a task made, as it is taken from its function: by path, by url, or a chunk of its data.

import { checkType, show } from "./options.js";
import type { Artifact, ArtifactInput } from "./record.js";

/** A frozen copy; bytes as base64. `TypeError`: it has no name, no type, or nothing that it is. */
export function takeArtifact(artifact: ArtifactInput): Artifact {
  checkType("artifact", artifact, "object");
  const { name, type } = artifact;
  checkType("artifact.name", name, "string");
  checkType("artifact.type", type, "string");
  if ("path" in artifact) {
    checkType("artifact.path", artifact.path, "string");
    return Object.freeze({ name, type, path: artifact.path });
  }
  if ("url" in artifact) {
    checkType("artifact.url", artifact.url, "string");
    return Object.freeze({ name, type, url: artifact.url });
  }
  const { data } = artifact;
  if (typeof data === "string") return Object.freeze({ name, type, data, encoding: "utf8" });
  if (data instanceof Uint8Array) {
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
    return Object.freeze({ name, type, data: text, encoding: "base64" });
  }
  throw new TypeError(`artifact must have a path, a url, or data that is a string or bytes, got ${show(data)}`);
}
