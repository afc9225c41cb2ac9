import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One answer of a registry as npm kept it (cacache: https://github.com/npm/cacache, index version 5). */
export interface Kept {
  readonly type: string;
  readonly body: Buffer;
}

interface IndexEntry {
  readonly key: string;
  readonly integrity: string;
  readonly metadata?: { readonly resHeaders?: { readonly 'content-type'?: string } };
}

/** Every answer in npm's own cache by the path of its URL in lower case, so that npm can be served what it was served before. */
export function readNpmCache(folder: string): ReadonlyMap<string, Kept> {
  const found = new Map<string, Kept>();
  const index = path.join(folder, '_cacache', 'index-v5');
  if (!existsSync(index)) return found;
  for (const file of readdirSync(index, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    for (const line of readFileSync(path.join(file.parentPath, file.name), 'utf8').split('\n')) {
      const tab = line.indexOf('\t');
      if (tab < 0) continue;
      const entry = JSON.parse(line.slice(tab + 1)) as IndexEntry;
      const url = entry.key.replace('make-fetch-happen:request-cache:', '');
      if (!url.startsWith('https://') || entry.integrity === undefined) continue;
      const type = entry.metadata?.resHeaders?.['content-type'] ?? 'application/octet-stream';
      found.set(new URL(url).pathname.toLowerCase(), {
        type,
        body: readFileSync(contentPath(folder, entry.integrity)),
      });
    }
  }
  return found;
}

function contentPath(folder: string, integrity: string): string {
  const [algorithm = '', digest = ''] = (integrity.split(' ')[0] ?? '').split(/-(.*)/s);
  const hex = Buffer.from(digest, 'base64').toString('hex');
  return path.join(folder, '_cacache', 'content-v2', algorithm, hex.slice(0, 2), hex.slice(2, 4), hex.slice(4));
}
