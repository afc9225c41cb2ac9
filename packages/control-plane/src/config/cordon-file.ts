import { protocolLimits } from '@cordon/protocol';
import { z } from 'zod';
import { limits } from '../limits.ts';
import { budgetPart } from './budget-file.ts';
import { grantParts } from './grant-file.ts';
import { cores, duration, size } from './units.ts';

export const resourceParts = z.strictObject({
  cpus: cores.optional(),
  memory: size.optional(),
  pids: z.number().int().min(4).max(1_000_000).optional(),
  disk: size.optional(),
  openFiles: z.number().int().min(16).max(1_048_576).optional(),
});

export const environment = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, 'a variable name'),
  z.string().max(128 * 1024),
);

/** A path on the host that a sandbox may see; `..` would name another place than it seems to. */
export const hostPath = z
  .string()
  .startsWith('/', 'an absolute path')
  .max(4096)
  .refine((path) => !path.split('/').includes('..') && !path.includes('\0'), 'a path without ..');

/** A path below the workspace. */
export const workspacePath = z
  .string()
  .min(1)
  .max(4096)
  .refine(
    (path) => !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0'),
    'a path below the workspace',
  );

/** `cordon.yaml`, of a project or of a person, and what `--policy FILE` names. */
export const cordonFile = z.strictObject({
  version: z.literal(1).optional(),
  profile: z.string().max(64).optional(),
  /** What its owner says of the workspace: nobody else could write it; anybody may read it. */
  workspace: z.strictObject({ trusted: z.boolean().default(false), public: z.boolean().default(false) }).optional(),
  /** The order, as with `--task`. */
  task: z.string().max(protocolLimits.taskTextCharsMax).optional(),
  workspaceMode: z.enum(['direct', 'proposal']).optional(),
  /** How the sandbox's sockets reach the gateway: `auto` hands them over where that works. */
  sockets: z.enum(['auto', 'relay']).optional(),
  ttl: duration.optional(),
  resources: resourceParts.optional(),
  /** What this session may spend at most. */
  budget: budgetPart.optional(),
  readOnly: z.array(hostPath).max(64).default([]),
  protectedPaths: z.array(workspacePath).max(256).default([]),
  env: environment.default({}),
  ...grantParts,
});
export type CordonFile = z.output<typeof cordonFile>;

export const emptyCordonFile: CordonFile = cordonFile.parse({});

export const fileCounts = { filesMax: 64, hostNamesMax: limits.sessionHostNamesMax } as const;
