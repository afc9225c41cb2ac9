export {
  type Address,
  type Block,
  blockHolds,
  classifyAddress,
  type HostView,
  parseAddress,
  parseBlock,
} from './address.ts';
export { Authority, createAuthority, type KeyedCertificate } from './authority.ts';
export { type ClientHello, parseClientHello } from './clienthello.ts';
export { acceptedCodings, type Coding, createDecoder, decodeBody, parseCoding } from './coding.ts';
export {
  checkAddresses,
  checkDestination,
  type Destination,
  parseDestination,
  parseTunnel,
  ruleApplies,
  type TunnelDestination,
} from './destination.ts';
export { dial } from './dial.ts';
export { type EgressErrorCode, statusOf } from './error.ts';
export type { HeaderPairs, OutgoingHead, UpstreamAnswer } from './exchange.ts';
export { letGoOfSession } from './h2-error.ts';
export { type FrameAbuse, type FrameLimits, FrameMeter } from './h2-frames.ts';
export { MeteredSocket } from './h2-socket.ts';
export { localHostView } from './host.ts';
export { Interception, type InterceptionOptions } from './interception.ts';
export { limits as egressLimits } from './limits.ts';
export { type Overrides, parseOverrides } from './overrides.ts';
export { Destinations, type DestinationsOptions, type Pin, type TunnelPin } from './pin.ts';
export { type Place, placeOf, stepsTowards } from './place.ts';
export type { EgressRefusal, EgressRefusalCode } from './refusal.ts';
export { createResolver, type Resolution, type Resolver, type ResolverOptions } from './resolver.ts';
export { type AddressClass, addressClasses, registryDate, specialPurpose } from './special-purpose.ts';
export { acceptOf, type NotUpgraded, type Upgraded } from './upgrade.ts';
export { type UpgradeRequest, type UpstreamRequest, Upstreams, type UpstreamsOptions } from './upstream.ts';
