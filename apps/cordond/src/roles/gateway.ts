import { connect, type Socket } from 'node:net';
import { createResolver, Destinations, localHostView, parseOverrides, Upstreams } from '@cordon/egress';
import { Gateway } from '@cordon/gateway';
import { type Journal, journalThatIsDown, type LedgerErrorCode, openJournal, SessionKeyring } from '@cordon/ledger';
import {
  type CordonError,
  createId,
  type GatewayToSupervisor,
  isCordonError,
  systemClock,
  systemRandom,
  timestamp,
} from '@cordon/protocol';
import type { Configuration } from '../configuration.ts';
import { loadEngine } from '../engine.ts';
import { readApprovalKey } from '../keys.ts';
import { layoutOf } from '../layout.ts';
import { watchLoad } from '../load.ts';
import { logLine } from '../log-line.ts';
import { readTestingDestinations } from '../testing.ts';

const writer = 'gw';
const journalRetryMs = 20;
const journalWaitMs = 8000;
const journalReopenMs = 1000;
const hostViewMs = 60_000;

/** Zone 1: one tenant's data plane, a child of the supervisor. Hostile bytes are parsed here and nowhere else. */
export async function runGateway(configuration: Configuration): Promise<void> {
  const clock = systemClock;
  const { tenant } = configuration;
  const layout = layoutOf(configuration);
  const testing =
    configuration.testingDestinations === null ? null : readTestingDestinations(configuration.testingDestinations);
  // Before anything is awaited: a message that came meanwhile would be lost.
  const messages = inbox();
  const bodyKeys = new SessionKeyring();
  await using journal = await openOrDown(layout.journals, tenant, bodyKeys);
  // A journal that failed stays down until it is opened anew, which the next process does: connections wait for it.
  journal.onFailure((error) => {
    logLine(timestamp(clock), { level: 'error', code: error.code, message: error.message });
    process.exit(70);
  });
  if (journal.failure !== null) void endWhenWritable(layout.journals, tenant, journal.failure);
  let hostView = localHostView([]);
  const refresh = setInterval(() => {
    try {
      hostView = localHostView([]);
    } catch {
      // Asking takes a descriptor, and an agent can use them up: what was known stays, and the process goes on.
    }
  }, hostViewMs);
  using upstreams = new Upstreams({ clock, ...(testing?.ca == null ? {} : { extraCa: [testing.ca] }) });
  await using _gateway = new Gateway({
    tenant,
    boot: createId('boot', clock, systemRandom),
    pid: configuration.pid,
    journal,
    bodyKeys,
    engine: loadEngine(),
    egress: {
      destinations: new Destinations({
        resolver: createResolver({ clock }),
        clock,
        hostView: () => hostView,
        ...(testing === null ? {} : { overrides: parseOverrides(testing.hosts) }),
      }),
      upstreams,
    },
    connectControl: (signal) => openControl(layout.controlSocket, signal),
    supervisor: {
      send: (message: GatewayToSupervisor) => void process.send?.(message),
      onMessage: messages.listen,
    },
    clock,
    computed: () => {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1000;
    },
    random: systemRandom,
    approvalKey: await readApprovalKey(layout.keys),
    report: (level, code, message) => logLine(timestamp(clock), { level, code, message }),
    load: watchLoad(layout.journals),
  });
  await messages.disconnected;
  clearInterval(refresh);
}

/** A disk that takes nothing is no reason to leave agents waiting: they are told no, with the reason. */
async function openOrDown(directory: string, tenant: string, keys: SessionKeyring): Promise<Journal> {
  try {
    return await openOwnJournal(directory, tenant, keys);
  } catch (error: unknown) {
    if (!isDown(error)) throw error;
    return journalThatIsDown({ writer, tenant }, error);
  }
}

/** The next process begins with the journal as it is then; this one has promised nothing that it must keep. */
async function endWhenWritable(directory: string, tenant: string, failure: Error): Promise<void> {
  const say = (level: string, message: string): void =>
    logLine(timestamp(systemClock), { level, code: 'ledger-down', message });
  say('error', `${failure.message}; every request is denied until it can be written`);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, journalReopenMs));
    try {
      await (await openJournal({ directory, tenant, writer, clock: systemClock })).close();
      break;
    } catch (error: unknown) {
      if (!isDown(error)) break;
    }
  }
  say('info', 'the journal can be written again');
  process.exit(0);
}

function isDown(error: unknown): error is CordonError<LedgerErrorCode> {
  return isCordonError(error) && error.code === ('ledger-down' satisfies LedgerErrorCode);
}

/** The gateway before us may still be dying: its journal is ours as soon as the kernel says that it is gone. */
async function openOwnJournal(directory: string, tenant: string, keys: SessionKeyring): Promise<Journal> {
  const sealing = { keyFor: keys.keyFor, random: systemRandom };
  const deadline = performance.now() + journalWaitMs;
  for (;;) {
    try {
      return await openJournal({ directory, tenant, writer, clock: systemClock, sealing });
    } catch (error: unknown) {
      if (!isCordonError(error) || error.code !== 'ledger-locked' || performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, journalRetryMs));
  }
}

function openControl(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, signal });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

type Listener = (message: unknown, handle: unknown) => void;

/** Node's IPC channel to the supervisor; what came before somebody listens is kept for them, in order. */
function inbox(): { listen: (listener: Listener) => void; disconnected: Promise<void> } {
  const early: Array<[unknown, unknown]> = [];
  let listener: Listener | null = null;
  process.on('message', (message: unknown, handle: unknown) => {
    if (listener === null) early.push([message, handle]);
    else listener(message, handle);
  });
  const disconnected = new Promise<void>((resolve) => {
    if (process.connected === true) process.once('disconnect', () => resolve());
    else resolve();
  });
  return {
    disconnected,
    listen: (next) => {
      listener = next;
      for (const [message, handle] of early.splice(0)) next(message, handle);
    },
  };
}
