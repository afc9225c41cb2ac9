import * as api from '@cordon/protocol/api';
import { refusal } from '../../error.ts';
import type { People } from '../../people/people.ts';
import { jsonRoute, type Route } from '../route.ts';
import { change, quick } from './limits.ts';

/** Public keys go in and come out; private ones stay with their people. */
export function peopleRoutes(people: People, tenant: string): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/people',
      action: 'people.list',
      summary: 'Who may answer for something, and the keys by which they are known.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.peopleList },
      handle: async () => ({ body: { people: people.directory.map(toAnswer) } }),
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/people',
      action: 'people.add',
      summary: 'Pins a public key of a new person, or one more of a known one.',
      limits: change,
      query: null,
      body: api.personRequest,
      answer: { status: 201, schema: api.knownPerson },
      creates: true,
      handle: async ({ body, caller }) => ({
        body: toAnswer(await people.add(body.name, body.publicKey, body.groups, caller)),
      }),
    }),
    jsonRoute({
      method: 'PUT',
      path: '/v1/people/{name}/groups',
      action: 'people.group',
      summary: 'All groups that a person is in from then on.',
      limits: change,
      query: null,
      body: api.groupsRequest,
      answer: { status: 200, schema: api.knownPerson },
      handle: async ({ path, body, caller }) => ({
        body: toAnswer(await people.group(path['name'] ?? '', body.groups, caller)),
      }),
    }),
    jsonRoute({
      method: 'DELETE',
      path: '/v1/people/{name}',
      action: 'people.remove',
      summary: 'Removes a person with all keys; nothing they sign counts from then on.',
      limits: change,
      query: null,
      body: null,
      answer: { status: 200, schema: api.done },
      handle: async ({ path, caller }) => {
        await people.remove(path['name'] ?? '', caller);
        return { body: {} };
      },
    }),
    jsonRoute({
      method: 'GET',
      path: '/v1/whoami',
      action: 'people.whoami',
      summary: 'Whom the daemon takes the caller for: the owner of its socket.',
      limits: quick,
      query: null,
      body: null,
      answer: { status: 200, schema: api.whoAmI },
      handle: async () => {
        const person = people.operator;
        const known = people.directory.find((each) => each.person.sub === person.sub);
        if (known === undefined) throw refusal('person-unknown', `${person.sub} is not known here`);
        return { body: { person, tenant, keys: [...known.keys] } };
      },
    }),
  ];
}

function toAnswer({ person, addedAt, keys, groups }: People['directory'][number]) {
  return { person, addedAt, keys: [...keys], groups: [...groups] };
}
