import type { Fault } from '../fault.ts';
import { clock } from './clock.ts';
import { descriptors } from './descriptors.ts';
import { diskFull } from './disk-full.ts';
import { killFault } from './kill.ts';
import { readOnly } from './read-only.ts';
import { ioError, slowDisk } from './slow-disk.ts';

export const faults: Readonly<Record<string, Fault>> = {
  kill: killFault,
  'disk-full': diskFull,
  'read-only': readOnly,
  descriptors,
  clock,
  'slow-disk': slowDisk,
  'io-error': ioError,
};
