// Gate: what work waits at until the bench lets it through, and how the bench waits until the work has come so far.

export interface Gate {
  readonly closed: Promise<number>;
  /** What waits at it gets 1. */
  readonly open: () => void;
  /** What waits at it is refused with this one error. */
  readonly refuse: () => void;
}
export function gate(): Gate {
  let open = (): void => undefined;
  let refuse = (): void => undefined;
  const closed = new Promise<number>((resolve, reject) => {
    open = () => resolve(1);
    refuse = () => reject(new Error("the work was told otherwise"));
  });
  closed.catch(() => undefined);
  return { closed, open: () => open(), refuse: () => refuse() };
}

export async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await new Promise<void>((resolve) => setImmediate(resolve));
}
