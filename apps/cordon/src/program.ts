import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { configurationError } from './exit.ts';

/** The absolute path of a program as the user's own shell would find it, links not resolved (its name picks the profile). */
export function findProgram(name: string, cwd: string, pathVariable: string): string {
  if (name.includes('/')) {
    const file = path.resolve(cwd, name);
    if (isProgram(file)) return file;
    throw configurationError(`${name} is no program that can be run`, `ls -l ${file}`);
  }
  for (const folder of pathVariable.split(':')) {
    const file = path.resolve(cwd, folder === '' ? '.' : folder, name);
    if (isProgram(file)) return file;
  }
  throw configurationError(`the command ${name} was not found on your PATH`, `install it, or give its path`);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
