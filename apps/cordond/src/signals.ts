export interface Stop {
  /** Why the end was asked for. */
  readonly requested: Promise<string>;
  readonly now: () => void;
}

/** SIGTERM and SIGINT ask for the same clean end as the API does. A second one does not wait for it. */
export function onStop(): Stop {
  const { promise, resolve } = Promise.withResolvers<string>();
  let asked = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (asked) process.exit(70);
      asked = true;
      resolve(signal);
    });
  }
  // Whoever started us may have gone with its terminal; that is no reason to end.
  process.on('SIGHUP', () => undefined);
  return { requested: promise, now: () => resolve('asked through the API') };
}
