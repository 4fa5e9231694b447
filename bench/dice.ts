// Dice: chance that is the same in each run.

/** Whole numbers below a bound, always the same for the same seed, an integer from 1 on: a Lehmer generator. */
export function dice(seed: number): (below: number) => number {
  let random = seed;
  return (below) => {
    random = (random * 48_271) % 2_147_483_647;
    return random % below;
  };
}

export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const left = [...items];
  const order: T[] = [];
  const roll = dice(seed);
  while (left.length > 0) {
    const place = roll(left.length);
    const last = left.pop();
    const picked = place < left.length ? left[place] : last;
    if (picked === undefined || last === undefined) continue;
    if (place < left.length) left[place] = last;
    order.push(picked);
  }
  return order;
}
