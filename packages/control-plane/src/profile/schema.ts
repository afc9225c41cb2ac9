import { z } from 'zod';
import { environment, fileCounts, hostPath, resourceParts, workspacePath } from '../config/cordon-file.ts';
import { grantParts } from '../config/grant-file.ts';
import { duration } from '../config/units.ts';

/** A file that is made in the session before its agent runs: absolute, or below its own HOME. */
const placedPath = z
  .string()
  .max(4096)
  .regex(/^(~\/|\/)[^\0]+$/, 'an absolute path, or one below ~/')
  .refine((path) => !path.split('/').includes('..'), 'a path without ..');

const profileName = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'a lower-case name');

/** `profiles/NAME.yaml`: the preset for a kind of agent. */
export const profileFile = z.strictObject({
  version: z.literal(1),
  name: profileName,
  description: z.string().min(1).max(200),
  /** Base names of commands that mean this profile. */
  match: z
    .array(z.string().regex(/^[^/\0]{1,64}$/))
    .max(16)
    .default([]),
  workspaceMode: z.enum(['direct', 'proposal']).default('proposal'),
  driver: z.enum(['process', 'auto']).default('auto'),
  seccomp: z.enum(['strict', 'compat']).default('compat'),
  resources: resourceParts.default({}),
  ttl: duration.optional(),
  env: environment.default({}),
  files: z
    .array(
      z.strictObject({
        path: placedPath,
        mode: z
          .string()
          .regex(/^0[0-7]{3}$/, 'octal digits such as "0600"')
          .default('0600'),
        content: z.string().max(128 * 1024),
      }),
    )
    .max(fileCounts.filesMax)
    .default([]),
  readOnly: z.array(hostPath).max(64).default([]),
  hostNames: z
    .array(z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/))
    .max(fileCounts.hostNamesMax)
    .default([]),
  protectedPaths: z.array(workspacePath).max(256).default([]),
  ...grantParts,
  /** The version of the agent that this was tried with; for people. */
  tried: z.string().max(64).optional(),
});
export type Profile = z.output<typeof profileFile>;
