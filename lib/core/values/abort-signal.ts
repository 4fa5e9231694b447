// Abort signal: the platform's AbortSignal, as it is given to errand.
//
// A signal is followed with one listener, whatever the number of its followers, so that no fan-out warns. The listener goes with the last follower.

/** The reason of an aborted signal. Some signals that libraries make have none. */
export function reasonOf(signal: AbortSignal): unknown {
  return signal.reason === undefined ? new DOMException("This operation was aborted", "AbortError") : signal.reason;
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

interface Followed {
  readonly followers: Set<() => void>;
  readonly listener: () => void;
}
const followed = new WeakMap<AbortSignal, Followed>();

/** Calls `onAbort` when the signal aborts, until the returned off is called. The signal is not aborted yet. */
export function follow(signal: AbortSignal, onAbort: () => void): () => void {
  let entry = followed.get(signal);
  if (entry === undefined) {
    const followers = new Set<() => void>();
    const listener = () => {
      followed.delete(signal);
      for (const follower of followers) follower();
    };
    entry = { followers, listener };
    followed.set(signal, entry);
    signal.addEventListener("abort", listener, { once: true });
  }
  const { followers, listener } = entry;
  followers.add(onAbort);
  return () => {
    if (!followers.delete(onAbort) || followers.size > 0 || followed.get(signal)?.followers !== followers) return;
    followed.delete(signal);
    signal.removeEventListener("abort", listener);
  };
}
