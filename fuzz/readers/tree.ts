import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

interface TreeNode {
  readonly type: 'file' | 'folder' | 'symlink' | 'other';
  readonly mode: number;
  /** Bytes of a file or the target of a link, a character each. */
  readonly content: string;
  /** All that must be equal for nothing to have changed. */
  readonly text: string;
}

/** Paths of one character per byte, as the file system has them. */
export type Tree = ReadonlyMap<string, TreeNode>;

/** Everything below a folder as it is now: a plain walk that shares no code with the one that is looked at. */
export function listTree(folder: string): Tree {
  const tree = new Map<string, TreeNode>();
  const walk = (at: Buffer, name: string): void => {
    for (const child of readdirSync(at, { encoding: 'buffer' })) {
      const full = Buffer.concat([at, Buffer.from('/'), child]);
      const relative = name === '' ? child.toString('latin1') : `${name}/${child.toString('latin1')}`;
      const info = lstatSync(full);
      const type = info.isFile() ? 'file' : info.isDirectory() ? 'folder' : info.isSymbolicLink() ? 'symlink' : 'other';
      const content =
        type === 'file'
          ? readFileSync(full).toString('latin1')
          : type === 'symlink'
            ? readlinkSync(full, { encoding: 'buffer' }).toString('latin1')
            : '';
      // A hard link may be made or taken away elsewhere; what the file is stays the same.
      const text = JSON.stringify([type, info.mode, info.uid, info.gid, content]);
      tree.set(relative, { type, mode: info.mode & 0o7777, content, text });
      if (type === 'folder') walk(full, relative);
    }
  };
  walk(Buffer.from(folder), '');
  return tree;
}
