import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { rotate } from '../src/log-rotation.ts';

let folder: string;
let file: string;
let log: number;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'log-'));
  file = path.join(folder, 'supervisor.log');
  log = openSync(file, 'a', 0o600);
});
afterEach(() => {
  closeSync(log);
  rmSync(folder, { recursive: true });
});

it('a log over its bound becomes the old one, and the same descriptor goes on with an empty file', () => {
  for (const round of ['first', 'second', 'third']) {
    writeSync(log, `${round} ${'x'.repeat(100)}\n`);
    rotate(log, 100);
    expect(statSync(file).size).toBe(0);
    expect(readFileSync(`${file}.1`, 'utf8')).toContain(round);
  }
  writeSync(log, 'after');
  rotate(log, 100);
  expect(readFileSync(file, 'utf8')).toBe('after');
  expect(readdirSync(folder).sort()).toEqual(['supervisor.log', 'supervisor.log.1']);
  expect(statSync(`${file}.1`).mode & 0o777).toBe(0o600);
});

it('is cut even where no copy can be made', () => {
  mkdirSync(`${file}.1`);
  writeSync(log, 'x'.repeat(200));
  rotate(log, 100);
  expect(statSync(file).size).toBe(0);
});

it('leaves alone what is no file', () => {
  const pipe = openSync('/dev/null', 'w');
  expect(() => rotate(pipe, -1)).not.toThrow();
  closeSync(pipe);
});
