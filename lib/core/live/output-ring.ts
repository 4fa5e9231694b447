// Output ring: the newest output of a task (§8). Output is frequent and is never journalled.
//
// Owns the newest 64 Ki characters. Written by a context; read by handles and the tools of a model.

/** A part of a task's output, from a cursor on. */
export interface OutputChunk {
  /** The output of all streams, in order. */
  readonly text: string;
  /** The output by stream, in order. */
  readonly parts: readonly {
    /** Name of the stream: `"stdout"`, `"stderr"`, or the name that the task gave. */
    readonly stream: string;
    /** The text written to that stream. */
    readonly text: string;
  }[];
  /** Pass this number as `after` to read the following output. */
  readonly cursor: number;
  /** The number of characters after `after` that are lost because the task keeps only the newest 65 536. */
  readonly dropped: number;
}

/** Characters kept per task. */
const OUTPUT_KEPT = 64 * 1024;
const PAGE = 1024;

/** The newest output of one task. */
export class OutputRing {
  readonly #parts: { readonly stream: string; text: string }[] = [];
  #kept = 0;
  /** Characters ever written. */
  #written = 0;

  /** Appends output and drops the oldest characters over the limit. */
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

  /** The output after the cursor `after`. */
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

/** The output of a task that has printed nothing. */
export const NO_OUTPUT: OutputChunk = Object.freeze({ text: "", parts: Object.freeze([]), cursor: 0, dropped: 0 });
