import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Inputs of one target in one file, a line each, so that they can be read and reviewed: a JSON string of one character
 * per byte where that is shorter, else `base64:…`. Lines that start with `#` say what the next one is about.
 */
export function readInputs(folder: string, target: string): Uint8Array[] {
  const file = fileOf(folder, target);
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(decodeLine);
}

/** Sorted, so that a new input is one new line. */
export function writeInputs(folder: string, target: string, inputs: readonly Uint8Array[]): void {
  mkdirSync(folder, { recursive: true });
  const lines = [...new Set(inputs.map(encodeLine))].sort();
  writeFileSync(fileOf(folder, target), lines.map((line) => `${line}\n`).join(''));
}

export function encodeLine(input: Uint8Array): string {
  const bytes = Buffer.from(input);
  const plain = JSON.stringify(bytes.toString('latin1')).replaceAll(
    /[\u007f-\u00ff]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
  const coded = `base64:${bytes.toString('base64')}`;
  return plain.length <= coded.length ? plain : coded;
}

function decodeLine(line: string): Uint8Array {
  if (line.startsWith('base64:')) return Buffer.from(line.slice('base64:'.length), 'base64');
  return Buffer.from(JSON.parse(line) as string, 'latin1');
}

function fileOf(folder: string, target: string): string {
  return path.join(folder, `${target}.txt`);
}
