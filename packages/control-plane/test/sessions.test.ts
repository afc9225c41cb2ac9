import path from 'node:path';
import { CordonError } from '@cordon/protocol';
import { describe, expect, test } from 'vitest';
import { Harness, until } from './harness.ts';

describe('a session', () => {
  test('is planned, recorded, started, shown, and its end is recorded', async () => {
    await using harness = await Harness.start();
    const created = await harness.post(
      '/v1/sessions',
      harness.order({ name: 'tester', allow: ['docs.example.com/guide'], env: { TOKEN: 'hunter2' } }),
    );
    expect(created.status, created.text).toBe(201);
    const { id } = created.json;
    expect(created.headers.location).toBe(`/v1/sessions/${id}`);
    expect(created.json).toMatchObject({
      agent: 'tester',
      profile: 'generic',
      person: 'ada',
      state: 'running',
      workspaceMode: 'direct',
      exit: null,
    });
    expect(created.json.grants).toHaveLength(1);

    const [order] = harness.supervisor.orders;
    expect(order?.command).toEqual(['/bin/true']);
    expect(order?.env).toMatchObject({
      HTTPS_PROXY: 'http://127.0.0.1:3128',
      SSL_CERT_FILE: '/etc/cordon/bundle.pem',
      TOKEN: 'hunter2',
      HOME: '/home/agent',
    });
    expect(order?.hostNames).toContain('docs.example.com');
    expect(order?.caCertificate).toMatch(/BEGIN CERTIFICATE/);

    await harness.supervisor.end(id, { status: 3 });
    const ended = await until(async () => {
      const shown = await harness.get(`/v1/sessions/${id}`);
      return shown.json.state === 'ended' ? shown : null;
    });
    expect(ended.json.exit).toMatchObject({ status: 3, reason: 'exited' });

    const entries = (await harness.get('/v1/ledger/entries?limit=500')).json.entries.map(
      (row: { entry: { type: string; session: string; data: Record<string, unknown> } }) => row.entry,
    );
    const types = entries
      .filter((entry: { session: string }) => entry.session === id)
      .map((entry: { type: string }) => entry.type);
    expect(types).toEqual(['session.start', 'label', 'session.start', 'session.end', 'teardown']);
    // Values of variables never reach the ledger, nor does its text.
    expect(JSON.stringify(entries)).not.toContain('hunter2');
  });

  test('gets a socket per raw TCP grant, and its name points to that address alone', async () => {
    await using harness = await Harness.start();
    const text = [
      'grants:',
      '  - { allow: "tcp://db.example.com:5432", limits: { life: 1h } }',
      '  - { allow: "tcp://db.example.com:6432" }',
      '  - { allow: "tcp://10.1.2.3:22", addresses: ["10.1.2.0/24"] }',
      '  - { allow: pinned.example.com, tls: opaque }',
      '  - { allow: live.example.com/x, websocket: true }',
    ].join('\n');
    const policy = { name: 'cordon.yaml', text };
    const created = await harness.post('/v1/sessions', harness.order({ policy, allow: ['db.example.com/status'] }));
    expect(created.status, created.text).toBe(201);
    const [order] = harness.supervisor.orders;
    expect(order?.tcp).toEqual([
      { grant: 'tcp://10.1.2.3:22', address: '127.64.0.1', port: 22, name: null },
      { grant: 'tcp://db.example.com:5432', address: '127.64.0.2', port: 5432, name: 'db.example.com' },
      { grant: 'tcp://db.example.com:6432', address: '127.64.0.2', port: 6432, name: 'db.example.com' },
    ]);
    expect(order?.hostNames).not.toContain('db.example.com');
    expect(order?.hostNames).toEqual(expect.arrayContaining(['pinned.example.com', 'live.example.com']));
    expect(created.json.grants.join('\n')).toContain(
      'allow raw TCP to db.example.com:5432; what goes through it is not',
    );
  });

  test('without a raw TCP grant has no such socket, and with too many is refused', async () => {
    await using harness = await Harness.start();
    expect((await harness.post('/v1/sessions', harness.order({}))).status).toBe(201);
    expect(harness.supervisor.orders[0]).not.toHaveProperty('tcp');
    const allow = Array.from({ length: 33 }, (_, n) => `tcp://db.example.com:${5000 + n}`);
    const refused = await harness.post('/v1/sessions', harness.order({ allow }));
    expect(refused.json).toMatchObject({ code: 'request-invalid' });
    expect(harness.supervisor.orders).toHaveLength(1);
  });

  test('that names nothing runnable, no folder, or another tenant is refused before anything is started', async () => {
    await using harness = await Harness.start();
    const cases: Array<[Record<string, unknown>, number, string]> = [
      [{ command: ['/no/such/program'] }, 422, 'command-not-found'],
      [{ command: ['/etc/passwd'] }, 422, 'command-not-found'],
      [{ workspace: '/no/such/folder' }, 422, 'workspace-invalid'],
      [{ workspace: '/' }, 422, 'workspace-invalid'],
      [{ workspace: harness.home }, 422, 'workspace-invalid'],
      [{ workspace: path.join(harness.home, 'policy') }, 422, 'workspace-invalid'],
      [{ workspace: harness.folder }, 422, 'workspace-invalid'],
      [{ policy: { name: 'c.yaml', text: `readOnly: [${harness.home}]\n` } }, 422, 'policy-invalid'],
      [{ policy: { name: 'c.yaml', text: 'readOnly: [/]\n' } }, 422, 'policy-invalid'],
      [{ env: { 'A=B': 'c' } }, 400, 'request-invalid'],
      [{ env: { A: 'b\0c' } }, 400, 'request-invalid'],
      [{ tenant: 'acme' }, 422, 'tenant-unknown'],
      [{ driver: 'microvm' }, 422, 'driver-unavailable'],
      [{ profile: 'nobody' }, 422, 'profile-unknown'],
      [{ allow: ['*.com'] }, 422, 'policy-invalid'],
      [{ policy: { name: 'cordon.yaml', text: 'grantz: []\n' } }, 422, 'policy-invalid'],
      [
        { policy: { name: 'c.yaml', text: 'secrets:\n  a: { to: ["http://a.example.com"], at: { header: x } }\n' } },
        422,
        'policy-invalid',
      ],
      [
        { policy: { name: 'c.yaml', text: 'secrets:\n  a: { to: ["https://A.example.com/x"], at: { header: x } }\n' } },
        422,
        'policy-invalid',
      ],
      [
        {
          policy: {
            name: 'c.yaml',
            text: 'secrets:\n  a: { to: ["https://a.example.com"], at: { header: x, form: "{}{}" } }\n',
          },
        },
        422,
        'policy-invalid',
      ],
      [
        { policy: { name: '--allow', text: 'grants: [{ allow: x.example.com }]\n' }, allow: ['y.example.com'] },
        422,
        'policy-invalid',
      ],
      [{ policy: { name: 'own.cedar', text: 'permit (principal, action, resource);' } }, 422, 'policy-invalid'],
      [{ command: [] }, 400, 'request-invalid'],
      [{ unknown: 1 }, 400, 'request-invalid'],
    ];
    for (const [change, status, code] of cases) {
      const reply = await harness.post('/v1/sessions', harness.order(change));
      expect([reply.status, reply.json.code], `${JSON.stringify(change)} ${reply.text}`).toEqual([status, code]);
      expect(reply.headers['content-type']).toBe('application/problem+json');
    }
    expect(harness.supervisor.orders).toHaveLength(0);
    expect((await harness.get('/v1/sessions')).json.sessions).toEqual([]);
  });

  test('gets its profile, the project file and the command line, each under its own source', async () => {
    await using harness = await Harness.start();
    const command = harness.program('robot');
    const text =
      'grants:\n  - allow: files.example.com/x/**\n    methods: [PUT]\nresources: { cpus: 0.5, memory: 64MiB }\nreadOnly: [/nowhere/at/all]\n';
    const created = await harness.post(
      '/v1/sessions',
      harness.order({ command: [command, 'go'], policy: { name: '/w/cordon.yaml', text }, allow: ['x.example.org'] }),
    );
    expect(created.status, created.text).toBe(201);
    expect(created.json.profile).toBe('robot');
    const [order] = harness.supervisor.orders;
    expect(order?.resources).toMatchObject({ cpuMillis: 500, memoryBytes: 64 * 1024 * 1024, pidsMax: 512 });
    expect(order?.readOnly).toEqual([command]);
    expect(order?.env['ROBOT_HOME']).toBe('/home/agent/.robot');
    const policy = await harness.get(`/v1/sessions/${created.json.id}/policy`);
    const session = policy.json.layers.find((layer: { name: string }) => layer.name === 'session');
    const ids = Object.keys(session.policies);
    for (const source of ['profile:robot', 'cordon.yaml', '--allow']) {
      expect(
        ids.some((id) => id.startsWith(`session/${source}/`)),
        ids.join(),
      ).toBe(true);
    }
    expect(policy.json.revision).toBe(1);
  });

  test('whose start fails is ended, and says why only as far as a client may read', async () => {
    await using harness = await Harness.start();
    harness.supervisor.beforeStart = async () => {
      throw new Error('mount /var/lib/cordon/secret-path failed');
    };
    const reply = await harness.post('/v1/sessions', harness.order());
    expect([reply.status, reply.json.code]).toEqual([503, 'start-failed']);
    expect(reply.text).not.toContain('secret-path');
    harness.supervisor.beforeStart = async () => {
      throw new CordonError('layer-missing', 'landlock: this kernel has none');
    };
    const told = await harness.post('/v1/sessions', harness.order());
    expect([told.status, told.json.code]).toEqual([503, 'start-failed']);
    expect(told.json.detail).toContain('landlock: this kernel has none (layer-missing)');
    const { sessions } = (await harness.get('/v1/sessions')).json;
    expect(sessions).toHaveLength(2);
    expect(sessions[0]).toMatchObject({ state: 'ended', exit: { reason: 'lost', status: 70 } });
  });

  test('runs further commands, shows and applies its changes', async () => {
    await using harness = await Harness.start();
    const { id, etag } = (await harness.post('/v1/sessions', harness.order())).json;
    const exec = await harness.post(`/v1/sessions/${id}/exec`, { command: ['ls'], env: { A: '1' } });
    expect(exec.status, exec.text).toBe(201);
    expect(exec.json.id).toMatch(/^exe_/);
    expect(harness.supervisor.calls.at(-1)).toMatchObject({
      method: 'exec',
      params: { session: id, command: ['ls'], env: { A: '1', HOME: '/home/agent' } },
    });
    expect((await harness.get(`/v1/sessions/${id}/changes`)).json.changes[0].path).toBe('a.txt');
    expect(
      (await harness.post(`/v1/sessions/${id}/apply`, { paths: ['a.txt'] }, { 'if-match': '"stale"' })).json.code,
    ).toBe('etag-mismatch');
    expect(
      (await harness.post(`/v1/sessions/${id}/apply`, { paths: ['a.txt'] }, { 'if-match': `"${etag}"` })).json,
    ).toEqual({ applied: ['a.txt'], refused: [] });
    expect((await harness.post(`/v1/sessions/${id}/discard`)).status).toBe(200);
    await harness.supervisor.end(id);
    const late = await until(async () => {
      const reply = await harness.post(`/v1/sessions/${id}/exec`, { command: ['ls'] });
      return reply.status === 409 ? reply : null;
    });
    expect(late.json.code).toBe('session-ended');
  });

  test('an unknown or malformed id is not found', async () => {
    await using harness = await Harness.start();
    for (const id of ['ses_00000000000000000000000000', 'x', '..%2f..', '%00']) {
      expect((await harness.get(`/v1/sessions/${id}`)).status).toBe(404);
    }
  });
});

describe('taking over', () => {
  test('a control plane that comes back knows its sessions, and ends what is gone or has no record', async () => {
    await using harness = await Harness.start();
    const kept = (await harness.post('/v1/sessions', harness.order())).json.id;
    const lost = (await harness.post('/v1/sessions', harness.order())).json.id;
    // Dies without a word: nothing is closed in order, the supervisor lives on.
    const { supervisor } = harness;
    const before = new Map(supervisor.sessions);
    await harness.close();
    supervisor.sessions.clear();
    const alive = before.get(kept);
    if (alive === undefined) throw new TypeError('no session');
    await harness.reopenAs(async () => {
      supervisor.sessions.set(kept, alive);
      supervisor.sessions.set('ses_stranger', { ...alive, session: 'ses_stranger' });
    }, [kept, lost]);
    expect((await harness.get(`/v1/sessions/${kept}`)).json.state).toBe('running');
    expect((await harness.get(`/v1/sessions/${lost}`)).json).toMatchObject({
      state: 'ended',
      exit: { reason: 'lost' },
    });
    expect(supervisor.calls.filter((call) => call.method === 'kill').at(-1)?.params).toMatchObject({
      sessions: ['ses_stranger'],
    });
    const status = (await harness.get('/v1/status')).json;
    expect(status.recovered.join()).toContain(lost);
    expect(status.roles.map((role: { role: string }) => role.role)).toEqual(['control', 'supervisor', 'gateway']);
  });

  test('a supervisor that dies ends its sessions and is replaced', async () => {
    await using harness = await Harness.start();
    const { id } = (await harness.post('/v1/sessions', harness.order())).json;
    await harness.supervisor.close();
    const ended = await until(async () => {
      const shown = await harness.get(`/v1/sessions/${id}`);
      return shown.json.state === 'ended' ? shown : null;
    });
    expect(ended.json.exit.reason).toBe('lost');
    expect(harness.spawns).toBe(1);
    expect((await harness.post('/v1/sessions', harness.order())).status).toBe(201);
  });

  test('a supervisor that ends at its start is said at once, and the API still answers', async () => {
    await using harness = await Harness.start();
    harness.supervisorFails = true;
    await harness.supervisor.close();
    const reply = await harness.post('/v1/sessions', harness.order());
    expect([reply.status, reply.json.code]).toEqual([503, 'supervisor-unavailable']);
    expect(reply.json.detail).toContain('no bubblewrap');
    expect((await harness.get('/v1/status')).json.warnings.join()).toContain('no supervisor');
  });

  test('what was swept is recorded and said', async () => {
    await using harness = await Harness.start();
    await harness.supervisor.recovered('ses_old');
    expect((await harness.get('/v1/status')).json.recovered.join()).toContain('ses_old: 1 leftovers swept');
  });
});
