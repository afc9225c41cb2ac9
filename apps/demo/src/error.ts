import { CordonError } from '@cordon/protocol';

export type DemoErrorCode = 'install-failed' | 'command-failed' | 'not-as-promised';

export class DemoError extends CordonError<DemoErrorCode> {}

/** The demo is a test as well: what it says must have happened, or it ends with a failure. */
export function expectThat(condition: boolean, what: string, evidence = ''): asserts condition {
  if (!condition) throw new DemoError('not-as-promised', `${what}${evidence === '' ? '' : `\n${evidence}`}`);
}
