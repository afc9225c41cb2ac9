import { readFileSync } from 'node:fs';
import { cordonFile } from '../../packages/control-plane/src/config/cordon-file.ts';
import { readYaml } from '../../packages/control-plane/src/config/document.ts';
import { compileEntries } from '../../packages/control-plane/src/config/grants.ts';
import {
  authorize,
  checkPolicyText,
  compileEngine,
  coreCeiling,
  createEngine,
  createFacts,
  createSnapshot,
  type Engine,
  noApproval,
  openTenant,
  usualFlow,
} from '../../packages/policy/src/index.ts';
import type { Intent, OriginRule, SessionPolicy } from '../../packages/protocol/src/index.ts';
import { type Feedback, must, type Target, text } from '../engine/target.ts';
import { grantsSay } from '../readers/grants.ts';

const times = { attempt: 'att_1', at: '2026-03-04T05:06:07.089Z', freshUntil: '2026-03-04T05:06:22.089Z', live: true };
let engine: Engine;
const origins = [
  'https://a.example:443',
  'https://x.a.example:443',
  'https://y.x.a.example:443',
  'http://a.example:80',
  'https://a.example:8443',
  'https://ba.example:443',
] as const;
const paths = ['/', '/v1', '/v1/x', '/v1/x/y', '/v2/%2A', '/v1/*', '/v1x'] as const;
const methods = ['GET', 'POST', 'DELETE'] as const;
const forbidAll = '\nforbid (principal, action, resource);\n';

export const target: Target = {
  name: 'policy-file',
  about: 'policy files: `cordon.yaml` with its grants and denies, and Cedar text, through the load gate to decisions',
  oracle:
    'a file is refused with places that exist, or loads; then nothing is allowed that a second reading of its grants does not allow, and a Cedar file allows nothing once `forbid` stands behind it',
  lengthMax: 700,
  shortRuns: 250,
  dictionary: [
    '- { allow: a.example }\n',
    'allow: ',
    'deny: ',
    'methods: [POST]',
    'clearance: private',
    'limits: { bytes: 1KiB, rate: 3/1m }',
    '*.a.example',
    'http://',
    ':8443',
    '/v1/**',
    '/*',
    '%2A',
    '"',
    '\\',
    '${',
    'permit (principal, action, resource);',
    'forbid (principal, action, resource)',
    'when { context.http.method == "GET" }',
    'unless { ',
    '@id("x")',
    'resource in Cordon::Host::"a.example"',
    '&a',
    '*a',
    '<<: ',
    '!!str',
    '//',
    ';',
  ],
  seeds: () =>
    [
      'version: 1\ngrants:\n  - { allow: a.example/v1/**, methods: [GET, POST], clearance: private }\n  - allow: "*.a.example"\ndenies:\n  - { deny: x.a.example, methods: [POST] }\n',
      'grants:\n  - { allow: "http://a.example", limits: { bytes: 64KiB, rate: 30/1m } }\n  - { allow: "a.example:8443/v1/*/y", body: true }\n',
      'grants:\n  - { allow: a.example/v1/* }\n  - { allow: "a.example/*/x", methods: [POST] }\n  - { allow: a.example/v2/%2A/** }\n',
      '// one\n@id("read") permit (principal, action == Cordon::Action::"http.request", resource in Cordon::Host::"a.example") when { context.http.method == "GET" };\nforbid (principal, action, resource) when { context.http.route like "/0:v2/*" };\n',
      'permit (principal, action, resource);\n',
      'profile: claude\nttl: 8h\nresources: { cpus: 2, memory: 4GiB }\nenv: { A: "b" }\n',
    ].map(text),
  async open() {
    const wasm = new URL('cedar_wasm_bg.wasm', import.meta.resolve('@cedar-policy/cedar-wasm/web'));
    const code = compileEngine(readFileSync(wasm));
    engine = createEngine(code.module, code.digest);
  },
  run(input, feedback) {
    const words = Buffer.from(input).toString('utf8');
    checkYaml(words, feedback);
    checkCedar(words, feedback);
  },
};

function checkYaml(words: string, feedback: Feedback): void {
  const read = readYaml('f.yaml', words, cordonFile);
  if (!read.ok) {
    feedback.note(read.problems[0]?.code ?? '');
    checkPlaces(words, read.problems);
    return;
  }
  const compiled = compileEntries({ layer: 'session', source: 'f.yaml', ...read.value, lineOf: read.lineOf });
  feedback.note(compiled.ok ? 'grants' : 'no grants');
  if (!compiled.ok) {
    checkPlaces(words, compiled.problems);
    return;
  }
  const { policies, origins: rules } = compiled.compiled;
  for (const [intent, allowed] of decisions(policies, rules)) {
    if (!allowed) continue;
    const { method, path } = intent.args as { method: string; path: string };
    const said = grantsSay(read.value, intent.resource, method, path);
    must(said, 'allowed, and no grant says so', `${method} ${intent.resource}${path}`, policies);
    feedback.note('allowed');
  }
}

function checkCedar(words: string, feedback: Feedback): void {
  const checked = checkPolicyText(engine, { name: 'f.cedar', text: words }, 'session');
  feedback.note(`cedar ${checked.problems[0]?.code ?? 'ok'}`);
  if (checked.problems.length > 0) {
    checkPlaces(words, checked.problems);
    must(Object.keys(checked.policies).length === 0, 'problems, and yet policies', checked);
    return;
  }
  for (const [, allowed] of decisions(checked.policies, [])) if (allowed) feedback.note('cedar allowed');
  const closed = checkPolicyText(engine, { name: 'f.cedar', text: words + forbidAll }, 'session');
  if (closed.problems.length > 0) return;
  for (const [intent, allowed] of decisions(closed.policies, [])) must(!allowed, 'allowed against a forbid', intent);
}

function checkPlaces(words: string, problems: ReadonlyArray<{ line: number | null; column: number | null }>): void {
  must(problems.length > 0, 'refused without a problem');
  const lines = words.split('\n').length;
  for (const { line, column } of problems) {
    must(line === null || (line >= 1 && line <= lines + 1), 'a problem on a line that is not there', line, lines);
    must(column === null || column >= 1, 'a problem in no column', column);
  }
}

/** Every probe against a session of these policies, through the code that decides. */
function decisions(policies: Readonly<Record<string, string>>, rules: readonly OriginRule[]): Array<[Intent, boolean]> {
  const names = { tenant: 'local', session: 'ses_1', agent: 'fixer', chain: `sha256:${'1'.repeat(64)}` };
  const tenant = { tenant: 'local', generation: 1, layers: [coreCeiling, openTenant], origins: [], expires: null };
  const session: SessionPolicy = {
    ...{ ...names, person: 'ada', salt: '0'.repeat(32), revision: 1, origins: rules, secrets: [], stopped: false },
    ...{ layer: { name: 'session', policies }, startedAt: '2026-01-01T00:00:00.000Z', profile: 'generic' },
  };
  const made = createSnapshot(engine, tenant, session);
  must(made.ok, 'what the gate let through makes no snapshot', made.ok ? '' : made.problems, policies);
  return origins.flatMap((resource) =>
    paths.flatMap((path) =>
      methods.map((method): [Intent, boolean] => {
        const payload = { sha256: `sha256:${'2'.repeat(64)}`, bytes: 0, kind: 'none' } as const;
        const args = { method, path, query: [], headers: [] };
        const intent = {
          v: 'intent/1',
          ...names,
          salt: '0'.repeat(32),
          action: 'http.request',
          resource,
          args,
          payload,
        } as const;
        const facts = createFacts(intent as unknown as Intent, { ...times, flow: usualFlow });
        const decision = authorize(
          made.snapshot,
          made.snapshot.principal,
          intent as unknown as Intent,
          facts,
          noApproval,
        );
        return [intent as unknown as Intent, decision.outcome === 'allow'];
      }),
    ),
  );
}
