// Bounded list: the items of a list in a sentence, of which a message shows the first few and counts the others.
//
// Pure. A message with thousands of items cannot be read, and a list that is cut without a word looks complete.

/** Items that a message shows, unless the caller says otherwise. */
const MOST_SHOWN = 10;

/** `a, b, … and 7 more`: the first `most` items, and the number of the others. */
export function boundedList(items: readonly string[], separator = ", ", most = MOST_SHOWN): string {
  if (items.length <= most) return items.join(separator);
  return [...items.slice(0, most), `… and ${items.length - most} more`].join(separator);
}
