export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: string | null;
}

/** A coding agent's requests: half of them repeat one of 40 paths, a quarter read one of 400 packages, a quarter is new each time. */
export function* mix(seed: number): Generator<Ask> {
  let state = seed;
  const next = (below: number): number => {
    // Numerical Recipes' generator: the arms must see the same requests, nothing more is asked of it.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
  for (let i = 0; ; i++) {
    const kind = next(20);
    if (kind < 10) yield { method: 'GET', path: `/repos/acme/app/issues/${next(40)}`, body: null };
    else if (kind < 15) yield { method: 'GET', path: `/registry/package-${next(400)}`, body: null };
    else if (kind < 18) yield { method: 'GET', path: `/blob/${seed}-${i}`, body: null };
    else
      yield {
        method: 'POST',
        path: '/v1/messages',
        body: JSON.stringify({ model: 'm', turn: i, text: 'y'.repeat(900) }),
      };
  }
}

/** The next `count` of them. */
export function* take(asks: Generator<Ask>, count: number): Generator<Ask> {
  for (let i = 0; i < count; i++) {
    const next = asks.next();
    if (next.done === true) return;
    yield next.value;
  }
}
