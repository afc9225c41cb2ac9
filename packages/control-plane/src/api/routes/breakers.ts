import * as api from '@cordon/protocol/api';
import { z } from 'zod';
import type { Fleet, RaisedAlarm } from '../../fleet/fleet.ts';
import type { Recorder } from '../../ledger/recorder.ts';
import type { SessionFeed } from '../../sessions/feed.ts';
import type { Gateways } from '../../uplink/gateways.ts';
import { flag } from '../page.ts';
import { type ApiEvent, jsonRoute, type Route } from '../route.ts';
import { change, quick } from './limits.ts';

export interface BreakerRouteParts {
  readonly gateways: Gateways;
  readonly recorder: Recorder;
  readonly fleet: Fleet;
  readonly feed: SessionFeed;
}

export function breakerRoutes({ gateways, recorder, fleet, feed }: BreakerRouteParts): Route[] {
  return [
    jsonRoute({
      method: 'GET',
      path: '/v1/breakers',
      action: 'breaker.list',
      summary:
        'What the circuit breakers keep closed: ways of single sessions, destinations that fail, and what many sessions were denied; with follow=true a stream of the last.',
      limits: quick,
      query: z.strictObject({ follow: flag }),
      body: null,
      answer: { status: 200, schema: api.openBreakers },
      follow: ({ signal }) => followAlarms(fleet, feed, signal),
      handle: async () => {
        const { sessions, destinations } = await gateways.breakers();
        return {
          body: { sessions: [...sessions], destinations: [...destinations], fleet: fleet.alarms().map(toAlarm) },
        };
      },
    }),
    jsonRoute({
      method: 'POST',
      path: '/v1/breakers/reset',
      action: 'breaker.reset',
      summary: 'Opens again what the breakers of a session closed; with null, the destinations of all sessions.',
      limits: change,
      query: z.strictObject({}),
      body: api.breakerReset,
      answer: { status: 200, schema: api.breakerResetAnswer },
      handle: async ({ body: { session }, caller }) => {
        // Before it counts, so that nothing is open again that nobody is known to have opened.
        await recorder.admin(caller, 'breaker.reset', {}, session);
        return { body: { reset: await gateways.resetBreakers(session) } };
      },
    }),
  ];
}

async function* followAlarms(fleet: Fleet, feed: SessionFeed, signal: AbortSignal): AsyncGenerator<ApiEvent> {
  // Follow first, read then: what is raised meanwhile is shown twice, never missed.
  const changes = feed.follow(signal);
  const first = changes.next();
  for (const alarm of fleet.alarms()) yield toEvent(alarm);
  for (let step = await first; step.done !== true; step = await changes.next()) {
    const alarm = fleet.find(step.value);
    if (alarm !== null) yield toEvent(alarm);
  }
}

function toEvent(alarm: RaisedAlarm): ApiEvent {
  return { event: 'fleet', id: alarm.id, data: toAlarm(alarm) };
}

function toAlarm({ sessions, agents, frozen, ...rest }: RaisedAlarm) {
  return { ...rest, sessions: [...sessions], agents: [...agents], frozen: [...frozen] };
}
