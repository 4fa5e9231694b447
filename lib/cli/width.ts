// Width: measures and cuts text in columns of a terminal.
//
// An East Asian wide character and an emoji count as two columns, a combining mark as none. Terminals differ on a few
// characters, so the result is an estimate for those.

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

const ASCII = /^[ -~]*$/u;
const WIDE =
  /^[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation}|\uFE0F/u;

/** The number of terminal columns that `text` takes. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

/** The longest beginning of `text` that fits in `columns`; never splits a grapheme. */
export function beginningOf(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [kept, left] = ["", columns];
  for (const { segment } of graphemes.segment(text)) {
    left -= widthOfGrapheme(segment);
    if (left < 0) break;
    kept += segment;
  }
  return kept;
}

/** Cuts `text` to at most `columns` ≥ 1, with `…` at the cut. */
export function cutTo(text: string, columns: number): string {
  return widthOf(text) <= columns ? text : `${beginningOf(text, columns - 1)}…`;
}

function widthOfGrapheme(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return /^\p{M}+$/u.test(grapheme) ? 0 : 1;
}
