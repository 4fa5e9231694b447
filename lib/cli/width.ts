// Width: how many columns of a terminal a text takes, and how it is cut to fewer.
//
// A letter of an Asian script and an emoji take two, an accent none. Terminals differ about some; it is right about nearly all.

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

const ASCII = /^[ -~]*$/u;
const WIDE =
  /^[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation}|\uFE0F/u;

export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

/** As much of its beginning as fits. */
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

/** At most `columns` ≥ 1 wide, with `…` where something is missing. */
export function cutTo(text: string, columns: number): string {
  return widthOf(text) <= columns ? text : `${beginningOf(text, columns - 1)}…`;
}

function widthOfGrapheme(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2;
  return /^\p{M}+$/u.test(grapheme) ? 0 : 1;
}
