// Message words: what a message says, in one line that a model reads.

import type { Message } from "../../core/task/message.js";
import { quoted } from "./escape.js";
import { visibleText } from "./visible.js";

export function messageInWords({ content }: Message, most: number): string {
  const said = content.map((part) => (part.type === "text" ? part.text : visibleText(part.data)));
  return quoted(said.join(" "), most);
}
