import { type Mutation, mutationsOf } from './mutation.ts';

const src = (name: string): string => `packages/gateway/src/${name}.ts`;
const hostile = ['packages/gateway/test/websocket-hostile.test.ts'];
const socket = ['packages/gateway/test/websocket.test.ts'];
const bounds = ['packages/gateway/test/websocket-limits.test.ts'];
const tunnel = ['packages/gateway/test/tunnel.test.ts'];
const grants = ['packages/policy/test/grant-tunnel.test.ts'];

/** WebSockets and tunnels: grants, handshakes, messages, and what is passed on unread. */
export const websocketMutations: readonly Mutation[] = [
  ...mutationsOf(src('websocket/handshake'), hostile, [
    ['any version', "versions.length !== 1 || versions[0] !== '13'", 'versions.length > 9'],
    ['any key', 'keys.length !== 1 || ', 'key === key && '],
    ['doubled subprotocols', '!distinct || ', ''],
    ['subprotocols of any form', ' || !protocols.every((each) => token.test(each))', ''],
    ["the client's extensions go on", "  'sec-websocket-extensions',\n", ''],
    ["the client's key goes on", "  'sec-websocket-key',\n", ''],
  ]),
  ...mutationsOf(src('websocket/serve'), hostile, [
    ['bytes before the answer', 'if (upgrade.head.length > 0)', 'if (upgrade.head.length > 1e9)'],
  ]),
  ...mutationsOf(src('websocket/peer'), hostile, [
    ['masks are not looked at', "isServer: role === 'server',", "isServer: role !== 'server',"],
    ['messages of any length', 'maxPayload: limits.websocketMessageBytesMax,', 'maxPayload: 0,'],
    ['fragments without number', 'maxFragments: limits.websocketFragmentsMax,', 'maxFragments: 0,'],
    [
      'no rate',
      'const taken = takeRate(this.#rate, rate, this.#now());',
      'const taken = { ok: true, state: 0 } as const;',
    ],
    ['pings cost nothing', 'if (this.#admit() && this.#takesControl())', 'if (this.#takesControl())'],
  ]),
  ...mutationsOf(src('websocket/peer'), socket, [
    ['nothing waits for the reader', 'if (this.#socket.writableNeedDrain) await this.#drained();', ''],
  ]),
  ...mutationsOf(
    src('websocket/peer'),
    ['packages/gateway/test/websocket-memory.test.ts'],
    [['answers to pings pile up', ' && !this.#socket.writableNeedDrain', '']],
  ),
  ...mutationsOf(src('websocket/peer'), bounds, [
    ['pieces without number', 'maxBufferedChunks: limits.websocketChunksMax,', 'maxBufferedChunks: 0,'],
    [
      "half a message is nobody's memory",
      'if (!this.#settleHeld()) {',
      'if (!this.#settleHeld() && this.#heldBytes < 0) {',
    ],
    [
      'who does not close stays',
      'const timer = setTimeout(() => this.#socket.destroy(), this.#limits.websocketCloseMs);',
      'const timer = setTimeout(() => undefined, 1);',
    ],
  ]),
  ...mutationsOf(src('websocket/bridge'), socket, [
    ['messages are not counted', 'session.traffic[direction] += bytes;', ''],
    [
      'answers are not searched',
      "direction === 'in' && scrubber !== null ? searched(received, scrubber) : received",
      'received',
    ],
    [
      'a denied message goes on',
      "if (judged.outcome === 'deny') throw new Denied(judged.denied.code);",
      "if (judged.outcome === 'deny') return to.send(message);",
    ],
    ['silence without end', 'options.signal, timed.signal', 'options.signal'],
    ['policy is not asked again', 'AbortSignal.any([options.signal, timed.signal])', 'timed.signal'],
    [
      'a close reason is not decided',
      "const empty = message.opcode === 'close' && message.code === 1005;",
      "const empty = message.opcode === 'close';",
    ],
  ]),
  ...mutationsOf('packages/egress/src/upgrade.ts', hostile, [
    ['any accept', ' || accepts[0] !== acceptOf(options.key)', ''],
    ['accept twice', 'accepts.length !== 1 || ', ''],
    ['any extension', "if (values(headers, 'sec-websocket-extensions').length > 0)", 'if (headers.length > 1e6)'],
    ['any subprotocol', ' || protocols.some((protocol) => !options.offered.includes(protocol))', ''],
    ['two subprotocols', 'protocols.length > 1 || ', ''],
    ['another protocol', "upgrades.length !== 1 || upgrades[0]?.toLowerCase() !== 'websocket'", 'upgrades.length > 9'],
  ]),
  ...mutationsOf(src('tunnel/after-connect'), tunnel, [
    ['any name in the ClientHello', 'if (named === target.host) return null;', 'return null;'],
    ['Encrypted ClientHello', 'if (hello.ech) {', 'if (hello.ech && target.port < 0) {'],
    ['opaque everywhere', 'if (!mayTunnel(serving.road, session, resource)) return false;', ''],
  ]),
  ...mutationsOf(src('tunnel/serve'), tunnel, [
    ['bytes are not counted', 'session.passed(way, bytes);', 'void bytes;'],
  ]),
  ...mutationsOf(src('tunnel/pipe'), tunnel, [
    ['bytes without end', 'if (bytesOut + bytesIn + chunk.length > options.bytesMax)', 'if (bytesOut < 0)'],
    [
      'a life without end',
      "cut('tunnel-life', 'the tunnel has lasted as long as it may'), options.lifeMs",
      "cut('tunnel-life', 'the tunnel has lasted as long as it may'), 1e9",
    ],
    [
      'silence without end',
      "cut('tunnel-idle', 'nothing has passed for too long'), options.idleMs",
      "cut('tunnel-idle', 'nothing has passed for too long'), 1e9",
    ],
    ['policy is not asked again', "signal.addEventListener('abort', aborted);", ''],
    ['no backpressure', 'if (to.writableLength === 0) return;', 'if (to.writable) return;'],
    [
      'small chunks wait by the thousand',
      'if (to.writableLength === 0) return;',
      'if (!to.writableNeedDrain) return;',
      ['packages/gateway/test/pipe-memory.test.ts'],
    ],
  ]),
  ...mutationsOf(src('listen/opening'), tunnel, [
    ['a word in capitals is HTTP', "if (opening?.kind !== 'http') return opening;", 'return opening;'],
  ]),
  ...mutationsOf('packages/policy/src/decide/slice.ts', grants, [
    [
      'a tunnel is in no origin',
      "entity(uidOf('Origin', resource), [host, ...carried])",
      "entity(uidOf('Origin', resource), [host])",
    ],
  ]),
  ...mutationsOf('packages/policy/src/grant/compile.ts', grants, [
    [
      'a deny of a path leaves tunnels',
      "    { suffix: '-tunnel', action: actions(['http.tunnel']), resource, conditions: port },\n",
      '',
    ],
  ]),
  ...mutationsOf('packages/policy/src/grant/target.ts', grants, [
    [
      'tunnels to all names of a domain',
      "if (wildcard === undefined || field === 'deny') return null;",
      'if (wildcard !== null) return null;',
    ],
    ['a tunnel with a path', "path !== undefined && path !== '/' && path !== '/**'", 'path === null'],
  ]),
];
