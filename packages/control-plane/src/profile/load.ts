import { CordonError } from '@cordon/protocol';
import { type FileProblem, readYaml } from '../config/document.ts';
import { type ControlErrorCode, refusal } from '../error.ts';
import type { HostFiles } from '../files.ts';
import { limits } from '../limits.ts';
import { type Profile, profileFile } from './schema.ts';

/** One profile as it was read, with its text: line numbers of its grants stand in the policies made from it. */
export interface LoadedProfile {
  readonly profile: Profile;
  readonly file: string;
  lineOf(path: readonly PropertyKey[]): number;
}

/** Every profile that ships. A broken one is a start-up error: nobody runs an agent under half a preset. */
export class Profiles {
  readonly #profiles: ReadonlyMap<string, LoadedProfile>;

  constructor(profiles: readonly LoadedProfile[]) {
    const map = new Map(profiles.map((loaded) => [loaded.profile.name, loaded]));
    if (!map.has('generic'))
      throw new CordonError<ControlErrorCode>('profile-invalid', 'there is no profile "generic"');
    this.#profiles = map;
  }

  get names(): string[] {
    return [...this.#profiles.keys()].sort();
  }

  /** @throws CordonError `profile-unknown` */
  get(name: string): LoadedProfile {
    const found = this.#profiles.get(name);
    if (found === undefined)
      throw refusal('profile-unknown', `there is no profile ${JSON.stringify(name)}`, [
        `use one of: ${this.names.join(', ')}`,
      ]);
    return found;
  }

  /** From the command's own name, as the person typed it (a link's name counts, not its target's). */
  guess(command: string): LoadedProfile {
    const base = command.slice(command.lastIndexOf('/') + 1);
    for (const loaded of this.#profiles.values()) {
      if (loaded.profile.match.includes(base)) return loaded;
    }
    return this.get('generic');
  }
}

/** @throws CordonError `profile-invalid`, with file, line and column of the first problem */
export async function loadProfiles(directory: string, files: HostFiles): Promise<Profiles> {
  const names = ((await files.list(directory)) ?? []).filter((name) => name.endsWith('.yaml')).sort();
  if (names.length > limits.profilesMax)
    throw new CordonError<ControlErrorCode>('profile-invalid', `${directory}: too many profiles`);
  const loaded: LoadedProfile[] = [];
  for (const name of names) {
    const text = await files.readText(`${directory}/${name}`, limits.configFileBytesMax);
    const parsed = parseProfile(name, text ?? '');
    if (!parsed.ok) {
      const [first] = parsed.problems;
      throw new CordonError<ControlErrorCode>('profile-invalid', describeProblem(first), { expose: true });
    }
    loaded.push(parsed.loaded);
  }
  return new Profiles(loaded);
}

export type ParsedProfile =
  | { readonly ok: true; readonly loaded: LoadedProfile }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** A profile's name is its file's name, so that nobody wonders which of two is meant. */
export function parseProfile(file: string, text: string): ParsedProfile {
  const read = readYaml(file, text, profileFile);
  if (!read.ok) return read;
  const expected = file.replace(/^.*\//, '').replace(/\.yaml$/, '');
  if (read.value.name !== expected) {
    const line = read.lineOf(['name']);
    const message = `name: must be ${JSON.stringify(expected)}, as the file is called`;
    return { ok: false, problems: [{ file, line, column: 1, code: 'value-invalid', message, mend: null }] };
  }
  return { ok: true, loaded: { profile: read.value, file, lineOf: read.lineOf } };
}

export function describeProblem(problem: FileProblem | undefined): string {
  if (problem === undefined) return 'unknown problem';
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}:${problem.column ?? 1}`;
  return `${place}: ${problem.message}`;
}
