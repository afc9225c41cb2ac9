export type JsonErrorCode =
  | 'json-syntax'
  | 'json-duplicate-key'
  | 'json-utf8'
  | 'json-bom'
  | 'json-trailing'
  | 'json-surrogate'
  | 'json-number'
  | 'json-depth'
  | 'json-nodes'
  | 'json-bytes';

export interface JsonError {
  readonly code: JsonErrorCode;
  /** Byte offset in the input at which the reading ended. */
  readonly offset: number;
  readonly message: string;
}
