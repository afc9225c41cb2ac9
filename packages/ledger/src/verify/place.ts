import { basename } from 'node:path';
import type { Entry } from '@cordon/protocol';
import type { Segment } from '../journal/segment.ts';
import type { Failure } from './report.ts';

/** Where a frame lies, for failures. */
export interface Place {
  readonly writer: string;
  readonly segment: Segment;
  readonly offset: number;
}

export function failureAt(place: Place, code: string, detail: string, entry?: Entry): Failure {
  return {
    code,
    where: `${place.writer}/${basename(place.segment.journal)}:${place.offset}`,
    detail,
    writer: place.writer,
    segment: place.segment.first,
    offset: place.offset,
    ...(entry === undefined ? {} : { wseq: entry.wseq }),
    ...(entry === undefined || entry.session === null ? {} : { session: entry.session }),
  };
}
