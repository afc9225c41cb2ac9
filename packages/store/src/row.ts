import type { SQLOutputValue } from 'node:sqlite';
import { storeError } from './error.ts';

export type Row = Record<string, SQLOutputValue>;

/** Columns of strict tables have one type each; anything else means that the file is not what we wrote. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw wrong(column);
  return value;
}

export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw wrong(column);
  return value;
}

export function integerOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : integer(row, column);
}

/** A column that this package filled with `JSON.stringify` of a `T`. */
export function json<T>(row: Row, column: string): T {
  try {
    return JSON.parse(text(row, column)) as T;
  } catch (error) {
    throw storeError('store-damaged', `column ${column} holds no JSON`, error);
  }
}

function wrong(column: string): Error {
  return storeError('store-damaged', `column ${column} holds something else than was written`);
}
