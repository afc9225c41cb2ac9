/** What happens to a system call. `kill` ends the whole process with SIGSYS. */
export type Verdict = 'allow' | 'kill' | { readonly errno: number };

/**
 * A test of an argument's low 32 bits. INVARIANT: only arguments that the kernel itself reads as 32 bits (or whose flags
 * all lie there) are tested so, or the upper half would be a way around the test (CVE-2019-10063). What is wider, a
 * pointer that may be null, is tested in both halves.
 */
export type Condition =
  | { readonly argument: number; readonly half?: 'high'; readonly anyBitOf: number }
  | { readonly argument: number; readonly mask: number; readonly oneOf: readonly number[] };

/** The first case whose conditions all hold decides; else `otherwise`. */
export interface ArgumentRule {
  readonly cases: readonly { readonly when: readonly Condition[]; readonly result: Verdict }[];
  readonly otherwise: Verdict;
}

export const errnos = { EPERM: 1, EAFNOSUPPORT: 97, EPROTONOSUPPORT: 93, ENOSYS: 38 } as const;
export const refused: Verdict = { errno: errnos.EPERM };
export const unknown: Verdict = { errno: errnos.ENOSYS };
/** Not done, and told as done: what the caller wanted is in force already. */
export const moot: Verdict = { errno: 0 };
