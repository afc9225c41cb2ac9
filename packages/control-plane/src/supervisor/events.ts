import type { Handlers, SupervisorEvents } from '@cordon/protocol';
import type { GatewayStates } from '../daemon.ts';
import type { Recorder } from '../ledger/recorder.ts';

export interface EventParts {
  readonly recorder: Recorder;
  readonly states: GatewayStates;
  /** What was found and swept, in words; `status` shows it. */
  readonly recovered: string[];
  readonly exited: (params: SupervisorEvents['session.exited']['params']) => Promise<void>;
}

/** Every word of the supervisor becomes an entry before it is answered; an unanswered one comes again. */
export function supervisorEvents({ recorder, states, recovered, exited }: EventParts): Handlers<SupervisorEvents> {
  return {
    'session.exited': async (params) => {
      await exited(params);
      return null;
    },
    'gateway.down': async (params) => {
      states.down(params.tenant);
      await recorder.record({ type: 'fault', session: null, data: { code: 'gateway-down', ...params } }, 'os');
      return null;
    },
    'gateway.up': async (params) => {
      states.up(params);
      await recorder.record({ type: 'recovery', session: null, data: { role: 'gateway', ...params } }, 'os');
      return null;
    },
    recovered: async ({ sessions }) => {
      for (const { session, swept } of sessions) {
        const ok = swept.every((item) => item.ok);
        recovered.push(`session ${session}: ${swept.length} leftovers swept${ok ? '' : ', some not'}`);
        await recorder.record(
          {
            type: 'recovery',
            session,
            data: { role: 'supervisor', ok, items: swept.length },
            body: JSON.stringify(swept),
          },
          'os',
        );
      }
      return null;
    },
    'workspace.quarantined': async (params) => {
      await recorder.record(
        { type: 'fault', session: params.session, data: { code: 'workspace-quarantined', ...params } },
        'os',
      );
      return null;
    },
  };
}
