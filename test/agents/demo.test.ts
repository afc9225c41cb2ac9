import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';

const program = path.resolve(import.meta.dirname, '../../apps/demo/dist/main.js');

function runDemo(): Promise<{ status: number | null; output: string }> {
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, output })));
}

it('shows an allowed step, a blocked exfiltration, a denied POST and its grant, an approval, a no, private data held on an allowed way, a kill, and a verified ledger, and leaves nothing', async () => {
  const { status, output } = await runDemo();
  expect(status, output).toBe(0);
  for (const line of [
    /✓ allowed {2}GET https:\/\/docs\.example\.com\/checklist/,
    /✗ stopped {2}POST https:\/\/paste\.example\/new with customers\.csv\n.*no-grant; that server saw 0 connections/,
    /✗ stopped {2}POST https:\/\/docs\.example\.com\/feedback/,
    /--allow docs\.example\.com\/feedback:POST/,
    /… held {5}DELETE https:\/\/docs\.example\.com\/releases\/1\.0\n.*approval: 1/,
    /✓ allowed {2}DELETE https:\/\/docs\.example\.com\/releases\/1\.0\n.*your signature/,
    /✗ stopped {2}the second try\n.*your no/,
    /… held {5}POST https:\/\/docs\.example\.com\/feedback with customers\.csv\n.*flow-R2/,
    /✗ stopped {2}the upload/,
    /decisions +ok +0 failures, 1 generations, (\d+) decisions, \1 same/,
    /0 processes left after \d+ ms/,
    /Everything happened as promised/,
  ])
    expect(output).toMatch(line);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('cordon-demo-'))).toEqual([]);
});
