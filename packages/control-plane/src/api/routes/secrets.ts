import { isCordonError } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { isSecretName, Secret, type SecretStore } from '@cordon/secrets';
import { refusal } from '../../error.ts';
import type { Recorder } from '../../ledger/recorder.ts';
import { jsonRoute, type Route } from '../route.ts';
import { large, quick } from './limits.ts';

/** Values go in and never come out: no route reads one back. */
export function secretRoutes(secrets: SecretStore, recorder: Recorder): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/secrets',
      action: 'secret.list',
      summary: 'Names, versions and last use; never values.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.secretList },
      handle: async () => ({ body: { secrets: secrets.list() } }),
    }),
    jsonRoute({
      method: 'PUT',
      path: '/v1/secrets/{name}',
      action: 'secret.put',
      summary: 'Stores a value under a name; a new version if there is one.',
      limits: { ...large, bodyBytesMax: 128 * 1024 },
      query: null,
      body: api.secretRequest,
      answer: { status: 200, schema: api.secretInfo },
      handle: async ({ path, body, caller, ifMatch }) => {
        const name = secretName(path['name']);
        checkVersion(secrets, name, ifMatch);
        using value = Secret.from(body.value);
        const info = await secrets.set(name, value).catch((error: unknown) => {
          if (isCordonError(error) && error.code.startsWith('secret-'))
            throw refusal('request-invalid', error.message, error.nextSteps, error);
          throw error;
        });
        await recorder.admin(caller, 'secret.put', { name, version: info.version });
        return { body: info, etag: `"${info.version}"` };
      },
    }),
    jsonRoute({
      method: 'DELETE',
      path: '/v1/secrets/{name}',
      action: 'secret.remove',
      summary: 'Removes a secret; leases of it end with their time.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.done },
      handle: async ({ path, caller, ifMatch }) => {
        const name = secretName(path['name']);
        checkVersion(secrets, name, ifMatch);
        if (!(await secrets.remove(name)))
          throw refusal('not-found', `there is no secret ${name}`, ['cordon secrets list']);
        await recorder.admin(caller, 'secret.remove', { name });
        return { body: {} };
      },
    }),
  ];
}

function secretName(text: string | undefined): string {
  if (text !== undefined && isSecretName(text)) return text;
  throw refusal('request-invalid', 'path.name: a secret is named by a-z, 0-9, _ and -, starting with a letter');
}

function checkVersion(secrets: SecretStore, name: string, ifMatch: string | null): void {
  if (ifMatch === null) return;
  const version = secrets.get(name)?.version;
  if (version !== undefined && (ifMatch === '*' || ifMatch === `"${version}"`)) return;
  throw refusal('etag-mismatch', `secret ${name} has changed since you read it`, ['cordon secrets list']);
}
