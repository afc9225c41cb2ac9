import { CordonError } from '@cordon/protocol';

export type TestkitErrorCode = 'no-such-tool' | 'script-misused' | 'listen-failed' | 'not-pem';

export class TestkitError extends CordonError<TestkitErrorCode> {}
