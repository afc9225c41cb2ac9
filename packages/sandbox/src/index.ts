export {
  type ExecRequest,
  type HandedSocket,
  type NativeHandle,
  type Sandbox,
  type SandboxCommand,
  type SandboxDriver,
  type SandboxSpec,
  type SessionNames,
  sandboxHome,
  sandboxUid,
  sandboxUser,
  sendHandle,
  sessionUids,
} from './driver.ts';
export type { SandboxErrorCode } from './error.ts';
export { createProcessDriver, type ProcessDriverOptions } from './process/process-driver.ts';
export type { SupervisorErrorCode } from './supervisor/error.ts';
export type { Program, SupervisorLogEvent, SupervisorOptions } from './supervisor/options.ts';
export type { PermitKey } from './supervisor/permit-signer.ts';
export { createSupervisor, type Supervisor } from './supervisor/supervisor.ts';
export type { WorkspaceErrorCode } from './workspace/error.ts';
export { isProtectedPath, protectedPatterns } from './workspace/protected.ts';
export { runWorkspaceWorker } from './workspace/worker.ts';
