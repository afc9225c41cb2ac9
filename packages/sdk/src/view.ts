import { CordonError, type Hold, type RecordValue, type View } from '@cordon/protocol';
import { digestBytes, digestRecord } from '@cordon/protocol/digest';
import type { SdkErrorCode } from './error.ts';

/** What the daemon shows is not what it asks about. */
export function mismatch(what: string): CordonError {
  return new CordonError<SdkErrorCode>('view-mismatch', `the daemon shows ${what}; do not approve this`, {
    expose: true,
  });
}

/** @throws CordonError `view-mismatch` */
export function checkView(record: Hold, view: View): void {
  if (digestRecord('view', view as unknown as RecordValue) !== record.view)
    throw mismatch('another view than it asks about');
  if (view.hold !== record.id) throw mismatch('the view of another hold');
  if (digestRecord('intent', view.intent as unknown as RecordValue) !== record.intent) throw mismatch('another intent');
  const body = view.payload === null ? new Uint8Array() : Buffer.from(view.payload.data, view.payload.encoding);
  const { bytes, sha256 } = view.intent.payload;
  if (body.length !== bytes || digestBytes(body) !== `sha256:${sha256}`) throw mismatch('another body');
}
