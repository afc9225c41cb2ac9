/** Named hostile inputs, each with the answer that must come. */
export { type OddRequest, oddReads, oddRows } from './accepted.ts';
export {
  embeddedAddresses,
  forbiddenAddresses,
  loopbackSpellings,
  metadataAddresses,
  metadataHosts,
} from './address.ts';
export { answerRows, brokenBodies, type HostileAnswer, poison, trailingAnswers } from './answer.ts';
export { chunkFloods, chunkRows, rubbishRow } from './chunk.ts';
export {
  alpnOffer,
  clientHello,
  echExtension,
  helloExtension,
  helloRecords,
  malformedHellos,
  serverName,
  serverNames,
  u8,
  u16,
  v8,
  v16,
  withExtension,
} from './clienthello.ts';
export { codingRows, listedCodingRows } from './coding.ts';
/** HTTP/2 frames, byte by byte. */
export * as h2 from './frames.ts';
export { parserRows } from './framing.ts';
export { headRows } from './head.ts';
export { brokenLabels, lookalikes, targetTricks, unicodeHosts } from './hostname.ts';
export { h2HeadRows, h2SessionRows } from './http2.ts';
export { type HostileH2Answer, h2AnswerRows, h2BrokenBodies } from './http2-answer.ts';
export { h2FloodRows, h2PacedFloods } from './http2-flood.ts';
export type { FramesEnd, HostileFrames } from './http2-request.ts';
export { type Injection, injections } from './injection.ts';
export { authorityRows, lineRows } from './line.ts';
export type { HostileRequest } from './request.ts';
export { codedBombs, type HostileBody, jsonBombs, opaqueBodies } from './size.ts';
export { halfOpen, type SlowClient, slowBodies, slowHeads } from './slow.ts';
export {
  closeFrame,
  type FrameChange,
  frame,
  type HostileMessage,
  hostileMessages,
  hostileSwitches,
  opcodes,
} from './websocket.ts';
