/** What can go wrong when a sandbox is built or used. The message names the layer and the mend. */
export type SandboxErrorCode =
  /** A promised layer is not there, and `allowWeaker` does not name it. */
  | 'layer-missing'
  /** The order asks for something that cannot be built or must not be. */
  | 'spec-invalid'
  /** The native program or bubblewrap failed; the message carries its words. */
  | 'start-failed'
  | 'start-aborted'
  /** A command could not be started inside (not found, no process left). */
  | 'exec-failed'
  | 'sandbox-ended'
  /** A process of ours said something that is not in the protocol. */
  | 'launch-protocol';
