// Places: ends of batches that a reader or the writer has passed, by which a later reader begins near its event.
//
// Without a place, a reader of one event reads its segment from the beginning, which may be 8 MB. A place names the
// checksum of the batch that ends there: `SegmentScan.seek` begins at a place only if the file still has that checksum
// there, so a place that is out of date costs one read and changes nothing. Knows no file: it keeps numbers only.
// Filled by the scans of a store and by its writer; read by its readers.

/** The end of a whole batch in a segment. */
export interface Place {
  /** The offset of the next batch in the file, from 0 on. */
  readonly byte: number;
  /** The `seq` of the next event. */
  readonly seq: number;
  /** The checksum of the batch that ends here. */
  readonly crc: number;
}

/** Two places of one segment have at least so many bytes between them; only the last place may be nearer. */
const BYTES_APART = 64 * 1024;
/** The number of segments whose places are kept: those with the newest events. */
const SEGMENTS_KEPT = 4;

/** The known places of one store, by the first `seq` of the segment. */
export class Places {
  readonly #segments = new Map<number, Place[]>();

  /** Adds a place of the segment, unless a later one is known. */
  add(segment: number, place: Place): void {
    const places = this.#of(segment);
    const last = places.at(-1);
    if (last !== undefined && place.byte <= last.byte) return;
    // The last place is kept whatever its distance, because most readers begin at the end.
    if (last !== undefined && last.byte - (places.at(-2)?.byte ?? 0) < BYTES_APART) places[places.length - 1] = place;
    else places.push(place);
  }

  /** The place of the segment from which the fewest bytes are read to come to the event `seq`. */
  before(segment: number, seq: number): Place | undefined {
    return this.#segments.get(segment)?.findLast((place) => place.seq <= seq);
  }

  /** The file has other bytes at `place`: forgets it and all later places of the segment. */
  forget(segment: number, { byte }: Place): void {
    const places = this.#segments.get(segment)?.filter((place) => place.byte < byte) ?? [];
    if (places.length === 0) this.#segments.delete(segment);
    else this.#segments.set(segment, places);
  }

  #of(segment: number): Place[] {
    const known = this.#segments.get(segment);
    if (known !== undefined) return known;
    const places: Place[] = [];
    this.#segments.set(segment, places);
    if (this.#segments.size > SEGMENTS_KEPT) this.#segments.delete(Math.min(...this.#segments.keys()));
    return places;
  }
}
