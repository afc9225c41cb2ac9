import { describe, expect, test } from 'vitest';
import { Harness, until } from './harness.ts';
import { WritingGateway } from './writing-gateway.ts';

describe('figures for those who watch', () => {
  test('hold what sandbox, gateway and ledger say, and the last denial', async () => {
    await using harness = await Harness.start();
    await using gateway = await WritingGateway.open(harness);
    const { id } = (await harness.post('/v1/sessions', harness.order({ name: 'robo', allow: ['docs.test'] }))).json;
    const allowed = await gateway.decide(id, 'docs.test', '/');
    await gateway.finish(id, allowed);
    await gateway.decide(id, 'evil.test', '/first');
    const denied = await gateway.decide(id, 'evil.test', '/drop');
    gateway.gateway.traffic = {
      live: true,
      sessions: [{ session: id, inFlight: 2, sockets: 3, bytesIn: 900, bytesOut: 1 }],
    };
    const look = async () => (await harness.get('/v1/stats')).json;
    const seen = await until(async () => {
      const stats = await look();
      return stats.sessions[0]?.bytesOut === 7 && stats.sessions[0].decisions.deny === 2 ? stats : null;
    });
    expect(seen.sessions).toMatchObject([
      {
        ...{ session: id, agent: 'robo', state: 'running', processes: 1, memoryBytes: 1, cpuMs: 1, inFlight: 2 },
        decisions: { allow: 1, deny: 2 },
        // More comes in than has ended; less went out than another gateway before this one has recorded.
        ...{ bytesIn: 900, bytesOut: 7 },
        lastDenial: { attempt: denied, summary: 'GET https://evil.test/drop', code: 'no-grant' },
      },
    ]);
    expect(seen.gateways).toEqual([{ pid: 4243, live: true, sockets: 3, inFlight: 2 }]);
    expect(seen.ledger.problems).toEqual([]);
    // What a gateway says to have written and the tree does not hold is how far the ledger is behind.
    const { wseq } = gateway.journal.head;
    gateway.gateway.channel.send('head', { writer: 'gw', wseq: wseq + 40, leaf: gateway.journal.head.leaf });
    await until(async () => (await look()).ledger.lag === 40);
    await harness.supervisor.end(id);
    await until(async () => (await look()).sessions.length === 0);
  });

  test('say unknown for a gateway that is gone, and nothing of sessions that are over', async () => {
    await using harness = await Harness.start();
    expect((await harness.get('/v1/stats')).json).toMatchObject({ sessions: [], gateways: [], ledger: { lag: 0 } });
    const { id } = (await harness.post('/v1/sessions', harness.order())).json;
    const stats = (await harness.get('/v1/stats')).json;
    expect(stats.sessions).toMatchObject([{ session: id, inFlight: null, lastDenial: null, bytesIn: 0 }]);
  });
});
