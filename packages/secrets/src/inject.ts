import { secretError } from './error.ts';
import type { LeaseSet } from './lease.ts';
import { parseBasic, placeholderOf } from './placeholder.ts';
import type { SecretPlan, SecretUse } from './plan.ts';

/**
 * The headers of the plan with values in place of placeholders. Called last, behind everything that logs or records.
 * `node:http` takes strings, so each value is a string from here until the request is written; strings cannot be wiped,
 * and `docs/limits.md` says so.
 *
 * @throws CordonError `inject-mismatch`, `lease-mismatch`, `secret-disposed`
 */
export function injectSecrets(plan: SecretPlan, leases: LeaseSet): Array<[string, string]> {
  const headers = plan.headers.map(([name, value]): [string, string] => [name, value]);
  for (const use of plan.uses) {
    const header = headers[use.header];
    if (header === undefined) throw secretError('inject-mismatch', `${use.name}: its header is gone`);
    header[1] = leases.value(use.name).reveal((value) => injected(use, header[1], value));
  }
  return headers;
}

function injected(use: SecretUse, text: string, value: Buffer): string {
  const placeholder = placeholderOf(use.name);
  switch (use.form) {
    case 'plain': {
      const at = text.indexOf(placeholder);
      if (at < 0) throw secretError('inject-mismatch', `${use.name}: its placeholder is gone`);
      return text.slice(0, at) + value.toString('latin1') + text.slice(at + placeholder.length);
    }
    case 'basic': {
      const basic = parseBasic(text);
      if (basic?.password !== placeholder) throw secretError('inject-mismatch', `${use.name}: its placeholder is gone`);
      const joined = Buffer.concat([Buffer.from(`${basic.user}:`, 'latin1'), value]);
      const coded = joined.toString('base64');
      joined.fill(0);
      return `Basic ${coded}`;
    }
  }
}
