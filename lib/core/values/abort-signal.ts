// Abort signal: how errand follows an AbortSignal that a caller passes.
//
// A signal has one listener, whatever the number of its followers, so a fan-out causes no warning. The listener is
// removed with the last follower.

/** The reason of an aborted signal. Signals of some libraries have none and get the platform's default. */
export function reasonOf(signal: AbortSignal): unknown {
  return signal.reason === undefined ? new DOMException("This operation was aborted", "AbortError") : signal.reason;
}

/** Throws the reason of the signal when it is aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

interface FollowedSignal {
  readonly followers: Set<() => void>;
  readonly listener: () => void;
}
const followed = new WeakMap<AbortSignal, FollowedSignal>();

/**
 * Calls `onAbort` when the signal aborts, until the returned function is called. The caller has checked that the signal
 * is not aborted.
 */
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
