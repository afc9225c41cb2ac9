import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Given, repository, requireHost, run, sh } from './harness.ts';

beforeAll(requireHost);

const node = path.dirname(path.dirname(process.execPath));
const esbuild = path.join(repository, 'node_modules/@esbuild', `linux-${process.arch}`);

describe.each(['strict', 'compat'] as const)('under %s', (seccomp) => {
  const given = (readOnly: readonly string[] = []): Omit<Given, 'command'> => ({
    order: { seccomp, readOnly },
    resources: { memoryBytes: 1 << 30 },
  });

  it('Node runs workers, children, WebAssembly, files, timers and sockets', async () => {
    const program = `
const { Worker } = require('worker_threads'), { execFileSync } = require('child_process'), fs = require('fs'), http = require('http');
const wasm = new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0]));
fs.writeFileSync('a', 'b'); fs.watch('.').close();
new Worker('require("worker_threads").parentPort.postMessage(1)', { eval: true }).on('message', () => {
  const server = http.createServer((q, r) => r.end('served')).listen(0, '127.0.0.1', () => {
    http.get({ port: server.address().port, agent: false }, (r) => r.on('data', (d) => { console.log(String(d), execFileSync('/bin/echo', ['child']) + ''); server.close(); }));
  });
});`;
    const readOnly = node === '/usr' ? [] : [node];
    const { stdout, stderr } = await run({ ...given(readOnly), command: [process.execPath, '-e', program] });
    expect(stderr).toBe('');
    expect(stdout).toBe('served child\n\n');
  });

  it('a Go program runs', async () => {
    const { stdout, stderr } = await run(
      {
        ...given([esbuild]),
        command: [path.join(esbuild, 'bin/esbuild'), '--minify'],
      },
      'let answer = 40 + 2; console.log(answer)',
    );
    expect(stderr).toBe('');
    expect(stdout).toContain('console.log');
  });

  it('git, gcc, make-like shells and Python run', async () => {
    const script = `set -e
git init -q . && git -c user.name=a -c user.email=b commit -q --allow-empty -m one && git log --oneline | wc -l
printf '#include <stdio.h>\\n#include <pthread.h>\\nstatic void *f(void *x){return x;}int main(void){pthread_t t;pthread_create(&t,0,f,0);pthread_join(t,0);puts("compiled");}' > a.c
gcc -O1 -o a a.c -lpthread && ./a
python3 - <<'END'
import subprocess, multiprocessing, threading, tempfile, sqlite3, socket
print(subprocess.check_output(['echo', 'sub']).decode().strip())
with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))
threading.Thread(target=lambda: None).start()
sqlite3.connect('x.db').execute('create table t(a)')
a, b = socket.socketpair(); print(len(tempfile.mkdtemp()) > 0)
END
find . -name a.c | xargs grep -c pthread`;
    const { stdout, stderr, exit } = await sh(script, given());
    expect(stderr).toBe('');
    expect(stdout).toBe('1\ncompiled\nsub\n[1, 2]\nTrue\n2\n');
    expect(exit.status).toBe(0);
  });

  it('the kernel refuses what the table refuses', async () => {
    const prepare = (workspace: string): void => {
      cpSync(path.join(import.meta.dirname, 'fixtures/denied.c'), path.join(workspace, 'denied.c'));
      writeFileSync(path.join(workspace, 'empty'), '');
    };
    const { stdout, stderr } = await sh('gcc -o denied denied.c && ./denied', { ...given(), prepare });
    expect(stderr).toBe('');
    const answers = Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split('=') as [string, string]),
    );
    const { getpid, route, landlock, clone3, unknown, alg, vsock, packet, netfilter, int80, ...rest } = answers;
    const { 'pair-stream': pair, 'x32-getpid': x32, ...refused } = rest;
    expect({ getpid, route, landlock, pair }).toEqual({ getpid: '0', route: '0', landlock: '0', pair: '0' });
    expect({ clone3, unknown }).toEqual({ clone3: '38', unknown: '38' });
    expect({ alg, vsock, packet, netfilter }).toEqual({ alg: '97', vsock: '97', packet: '97', netfilter: '93' });
    if (process.arch === 'x64') expect([x32, int80]).toEqual(['38', '31']);
    expect(Object.keys(refused).length).toBeGreaterThan(25);
    for (const [name, error] of Object.entries(refused)) expect(error, name).toBe('1');
  });
});
