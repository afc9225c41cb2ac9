/** Named hostile inputs, each with the answer that must come. */
export { parserRows } from './framing.ts';
export { headRows } from './head.ts';
export type { HostileRequest } from './request.ts';
