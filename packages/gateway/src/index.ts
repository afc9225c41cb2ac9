export type { Report } from './ask.ts';
export type { SupervisorPort } from './control/supervisor.ts';
export { GatewayError, type GatewayErrorCode } from './error.ts';
export { Gateway, type GatewayOptions } from './gateway.ts';
export { type GatewayLimits, limits as gatewayLimits } from './limits.ts';
export type { Load } from './shed.ts';
export type { GatewayStats } from './stats.ts';
