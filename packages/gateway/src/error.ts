import { CordonError } from '@cordon/protocol';

/** Faults of the data plane: what broke, never what was denied (a denial is a value). */
export type GatewayErrorCode =
  | 'session-limit'
  | 'overloaded'
  | 'tenant-mismatch'
  | 'policy-rollback'
  | 'policy-invalid'
  | 'message-malformed'
  | 'control-lost'
  | 'permit-stopped'
  | 'permit-stale'
  | 'permit-mismatch'
  | 'permit-unavailable'
  | 'client-gone'
  | 'stream-cut'
  | 'flow-R7'
  | 'no-longer-permitted'
  | 'session-stopped'
  | 'journal-failed'
  | 'slow-reader'
  | 'websocket-protocol'
  | 'websocket-too-large'
  | 'websocket-flood'
  | 'websocket-closed'
  | 'websocket-denied'
  | 'websocket-idle'
  | 'websocket-life'
  | 'memory-full'
  | 'tunnel-bytes'
  | 'tunnel-life'
  | 'tunnel-idle'
  | 'answer-too-large'
  | 'answer-incomplete'
  | 'answer-unreadable'
  | 'gateway-closed';

export class GatewayError extends CordonError<GatewayErrorCode> {}
