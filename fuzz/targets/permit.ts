import { coveredRequest } from '../../packages/protocol/src/permit/request.ts';
import { parsePermitToken, permitSigningInput, permitToken } from '../../packages/protocol/src/permit/token.ts';
import { InputChoices } from '../engine/choices.ts';
import { type Feedback, must, type Target, text } from '../engine/target.ts';

const kid = 'k'.repeat(43);
const digest = `sha256:${'d'.repeat(64)}`;
const header = `{"alg":"ES256","kid":"${kid}","typ":"cordon-permit+jws"}`;
const ids = { ses: 'a', att: 'b', bot: 'c', prm: 'b' };
const id = (kind: keyof typeof ids): string => `${kind}_0${ids[kind].repeat(25)}`;
const body = `{"attempt":"${id('att')}","aud":"payments","boot":"${id('bot')}","credentials":["authorization"],"decision":"${digest}","destination":"https://payments.example:443","epoch":0,"generation":3,"id":"${id('prm')}","intent":"${digest}","issued":"2026-01-01T00:00:00.000Z","obligations":["bytes:10"],"payload":{"bytes":12,"sha256":"${'e'.repeat(64)}"},"recorded":{"tier":"os","writer":"gw","wseq":7},"request":"${digest}","revision":1,"session":"${id('ses')}","tenant":"local","until":"2026-01-01T00:01:00.000Z","v":"permit/1"}`;
const coded = (part: string): string => Buffer.from(part, 'latin1').toString('base64url');
const signature = 'A'.repeat(86);
const onlyHeader = /^\{"alg":"ES256","kid":"[A-Za-z0-9_-]{43}","typ":"cordon-permit\+jws"\}$/;

export const target: Target = {
  name: 'permit',
  about: 'a signed permit as an effector reads it from a header, and which headers of a request it covers',
  oracle:
    'a token that is read is the very text that would be written of what was read, under the one header that there is; the request that is covered does not hang on the case of names, on the order of different ones or on how their lines are joined, and on everything else it does',
  lengthMax: 2048,
  shortRuns: 8000,
  dictionary: ['"alg":"none",', '"jwk":{}', '"crit":[]', '\\u0061', 'Cordon-Permit: ', 'Cookie: a', ': ', '\n', ' '],
  seeds: () => [
    text(`r${coded(header)}.${coded(body)}.${signature}`),
    text(`p${header}\n${body}`),
    text('hAccept: */*\ncookie: a\nCookie: b\nHost: x\nauthorization: Bearer x\nVia: 1.1 p\n'),
  ],
  run(input, feedback) {
    const rest = Buffer.from(input.subarray(1)).toString('latin1');
    const kind = (input[0] ?? 0) % 3;
    if (kind === 0) read(rest, feedback);
    else if (kind === 1) {
      const [head = '', ...more] = rest.split('\n');
      read(`${coded(head)}.${coded(more.join('\n'))}.${signature}`, feedback);
    } else cover(input.subarray(1), feedback);
  },
};

function read(token: string, feedback: Feedback): void {
  const result = parsePermitToken(token);
  feedback.note(result.ok ? 'ok' : result.code);
  if (!result.ok) return;
  const written = permitToken(permitSigningInput(result.kid, result.claims), result.signature);
  must(written === token, 'a second spelling is read', token, written);
  const [head = '', claims = ''] = token.split('.');
  must(onlyHeader.test(Buffer.from(head, 'base64url').toString()), 'another header is read', head);
  must(Buffer.from(result.signed).toString() === `${head}.${claims}`, 'the signature is over something else', token);
  must(result.signature.length === 64, 'a signature of another length', token);
}

/** Lines of `Name: value`, written in three ways that mean the same, and in one that does not. */
function cover(bytes: Uint8Array, feedback: Feedback): void {
  const choices = new InputChoices(bytes.subarray(0, 8));
  const headers = Buffer.from(bytes.subarray(8))
    .toString('latin1')
    .split('\n')
    .flatMap((line): Array<readonly [string, string]> => {
      const at = line.indexOf(':');
      return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    });
  const recordOf = (lines: ReadonlyArray<readonly [string, string]>): string => {
    const payload = { sha256: '', bytes: 0 };
    const parts = { method: 'GET', destination: '', target: '/', payload, credentials: ['authorization'] };
    return JSON.stringify(coveredRequest({ ...parts, headers: lines }, new Set(['via'])));
  };
  const plain = recordOf(headers);
  const cased = headers.map(([name, value]) => [flip(name, choices), `\t${value} `] as const);
  must(recordOf(cased) === plain, 'case of a name or space around a value', plain, recordOf(cased));
  const byName = [...headers].sort(([a], [b]) =>
    a.toLowerCase() < b.toLowerCase() ? 1 : a.toLowerCase() === b.toLowerCase() ? 0 : -1,
  );
  must(recordOf(byName) === plain, 'the order of different names', plain, recordOf(byName));
  const added = recordOf([...headers, ['x-planted-by-a-thief', '1']]);
  must(added !== plain, 'a header that was put in', plain);
  const silent = recordOf([...headers, ['Cordon-Permit', 'x'], ['Via', 'x'], ['AUTHORIZATION', 'x'], [':path', '/']]);
  must(silent === plain, 'what is not covered', plain, silent);
  feedback.note(`headers ${Math.min(headers.length, 4)}`);
}

function flip(name: string, choices: InputChoices): string {
  // Letters of ASCII alone: names are tokens, and no other letter has a case there.
  return name.replaceAll(/[A-Za-z]/g, (each) => (choices.below(2) === 0 ? each.toLowerCase() : each.toUpperCase()));
}
