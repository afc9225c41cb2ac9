import type { Random } from '@cordon/protocol';
import { secretError } from './error.ts';
import { keyBytes } from './seal.ts';
import { Secret } from './secret.ts';

/** A file of this deployment, 0600 and written atomically; backed by `store`, which alone writes files. */
export interface SecretFile {
  /** Null when it does not exist. */
  read(): Promise<Uint8Array | null>;
  write(bytes: Uint8Array): Promise<void>;
}

/** The key-encryption key. TPM, OS key store and KMS come behind this interface; a file is the weakest of them. */
export interface KeySource {
  /** 32 bytes; the caller disposes them. */
  key(): Promise<Secret>;
}

/** A key in a 0600 file, made when there is none. `cordon doctor` calls it weak: a copy of the disk holds key and boxes. */
export function fileKeySource(file: SecretFile, random: Random): KeySource {
  return {
    async key(): Promise<Secret> {
      const known = await file.read();
      if (known !== null) {
        if (known.length !== keyBytes) throw secretError('store-malformed', 'the secret key file has a wrong length');
        const key = Secret.from(known);
        known.fill(0);
        return key;
      }
      const fresh = random.bytes(keyBytes);
      await file.write(fresh);
      const key = Secret.from(fresh);
      fresh.fill(0);
      return key;
    },
  };
}
