// Output ring: the last of what a task printed. Frequent, cheap, never journalled (§8).

/** What a task printed, from a cursor on. */
export interface OutputChunk {
  /** All streams, in order. */
  readonly text: string;
  readonly parts: readonly { readonly stream: string; readonly text: string }[];
  /** Pass it as `after` to read on. */
  readonly cursor: number;
  /** Characters between `after` and the first one here that the ring no longer had. */
  readonly dropped: number;
}

/** Characters kept per task. */
const OUTPUT_KEPT = 64 * 1024;
const PAGE = 1024;

export class OutputRing {
  readonly #parts: { readonly stream: string; text: string }[] = [];
  #kept = 0;
  /** Characters ever written. */
  #written = 0;

  write(stream: string, text: string): void {
    if (text === "") return;
    this.#written += text.length;
    const kept = text.slice(-OUTPUT_KEPT);
    this.#kept += kept.length;
    const last = this.#parts.at(-1);
    // Small writes of one stream join up to a page, so that a chatty task is a few strings and trimming stays cheap.
    if (last?.stream === stream && last.text.length + kept.length <= PAGE) last.text += kept;
    else this.#parts.push({ stream, text: kept });
    this.#trim();
  }

  #trim(): void {
    let first = this.#parts[0];
    while (first !== undefined && this.#kept - first.text.length >= OUTPUT_KEPT) {
      this.#kept -= first.text.length;
      this.#parts.shift();
      first = this.#parts[0];
    }
    const over = this.#kept - OUTPUT_KEPT;
    if (first !== undefined && over > 0) {
      first.text = first.text.slice(over);
      this.#kept -= over;
    }
  }

  read(after = 0): OutputChunk {
    const oldest = this.#written - this.#kept;
    let skip = Math.max(0, after - oldest);
    const parts: { stream: string; text: string }[] = [];
    for (const { stream, text } of this.#parts) {
      if (skip < text.length) parts.push({ stream, text: text.slice(skip) });
      skip = Math.max(0, skip - text.length);
    }
    return {
      text: parts.map((part) => part.text).join(""),
      parts,
      cursor: this.#written,
      dropped: Math.max(0, oldest - Math.max(0, after)),
    };
  }
}

export const NO_OUTPUT: OutputChunk = Object.freeze({ text: "", parts: Object.freeze([]), cursor: 0, dropped: 0 });
