import { type Mutation, mutationsOf } from './mutation.ts';

const src = (name: string): string => `packages/gateway/src/${name}.ts`;
const out = (name: string): string => `packages/egress/src/${name}.ts`;
const agent = ['packages/gateway/test/http2.test.ts'];
const connection = ['packages/gateway/test/http2-connection.test.ts'];
const hostile = ['packages/gateway/test/http2-hostile.test.ts'];
const replies = ['packages/gateway/test/h2-reply.test.ts'];
const heads = ['packages/gateway/test/h2-head.test.ts'];
const frames = ['packages/egress/test/h2-frames.test.ts'];
const server = ['packages/egress/test/h2.test.ts'];
const hostileServer = ['packages/egress/test/h2-hostile.test.ts'];

/** HTTP/2 on both sides: heads, floods, streams, and what a server may say. */
export const http2Mutations: readonly Mutation[] = [
  ...mutationsOf(src('http/h2-head'), heads, [
    ['any :scheme', "if (facts.scheme !== 'https') return", "if (facts.scheme === '') return"],
    ['a :path that is none', "if (!wire.url.startsWith('/')) return", "if (wire.url === '?') return"],
    [
      'fields of a connection',
      'const foreign = connectionSpecific.find((name) => valuesOf(headers, name).length > 0);',
      "const foreign = connectionSpecific.find((name) => name === '');",
    ],
    ['any TE', "value.toLowerCase() !== 'trailers'", "value.toLowerCase() === ' '"],
    ['host beside :authority is forgotten', "name !== 'host' || value.toLowerCase() !== twin", "name !== 'host'"],
    ['crumbs stay apart', "name === 'cookie' && cookie >= 0", "name === 'cookie' && cookie > 999"],
    ['pseudo-headers of any number', 'if (pseudo.has(name)) malformed ??=', "if (name === '') malformed ??="],
    ['unknown pseudo-headers', 'if (!requestPseudo.has(name)) malformed ??=', "if (name === '') malformed ??="],
    ['pseudo-headers behind fields', 'if (fields.length > 0) malformed ??=', 'if (fields.length > 1e6) malformed ??='],
    [
      'an empty crumb',
      "if (value === '' || fields[cookie]?.[1] === '') malformed ??=",
      "if (value === ' ') malformed ??=",
    ],
    ['spaces around a value', 'if (isPadded(value)) malformed ??=', "if (value === ' ') malformed ??="],
    ['names in any case', 'if (!fieldName.test(name)) malformed ??=', "if (name === '') malformed ??="],
  ]),
  ...mutationsOf(src('listen/h2-front'), hostile, [
    [
      'floods go on',
      "if (abuse !== null) {\n      this.#end(abuseRefusal(abuse), 'calm');\n      return;\n    }\n",
      '',
    ],
    [
      'made to reset costs nothing',
      "if (abuse !== null) this.#end(abuseRefusal(abuse), 'calm');\n      this.#watchIdle();",
      'this.#watchIdle();',
    ],
    ['every head earns', 'this.#meter.accepted();', 'this.#meter.accepted(1e6);'],
    ['heads of any number of fields', 'maxHeaderListPairs: limits.h2FieldsMax,', ''],
    ['streams without number', 'maxConcurrentStreams: limits.h2StreamsMax,', ''],
    [
      'what ended a connection is not recorded',
      "this.#options.handlers.refused(this.#connection, refuse('http2-protocol'",
      "void (refuse('http2-protocol'",
    ],
  ]),
  ...mutationsOf(src('listen/h2-front'), connection, [
    ['SETTINGS may never come', "this.#after('settings', limits.h2SettingsMs,", "this.#after('settings', 1e8,"],
    ['half a head for ever', "this.#after('head', this.#options.limits.headTimeoutMs,", "this.#after('head', 1e8,"],
    [
      'an idle connection stays',
      "this.#after('idle', this.#options.limits.keepAliveIdleMs,",
      "this.#after('idle', 1e8,",
    ],
    [
      'PING keeps it open',
      "if (this.#meter.settingsSeen) this.#stop('settings');",
      "if (this.#meter.settingsSeen) this.#stop('settings');\n    this.#watchIdle();",
    ],
    ['requests without number', 'if (this.#served >= limits.requestsPerConnectionMax) this.#session.close();', ''],
    ['idle while it waits for an answer', 'if (this.#streams.size > 0 || this.#ended', 'if (this.#ended'],
    ['memory of any size', 'maxSessionMemory: Math.floor(limits.h2SessionBytesMax / 1_000_000),', ''],
    ['our limits are not said', 'maxHeaderListSize: limits.headBytesMax,', ''],
  ]),
  ...mutationsOf(src('listen/h2-reply'), connection, [
    [
      'fields of a connection in answers',
      "if (!connectionSpecific.has(name)) fields.push(name, headers[i + 1] ?? '');",
      "fields.push(name, headers[i + 1] ?? '');",
      agent,
    ],
    [
      'a cut answer looks whole',
      "this.#stream.destroy(new GatewayError('stream-cut', 'the answer was cut'));",
      'this.#stream.end();',
    ],
    [
      'a broken answer has finished',
      'if (!this.#ended || aborted) return false;',
      'if (!this.#ended) return false;',
      replies,
    ],
    ['no backpressure', 'return !this.#stream.writableNeedDrain;', 'return true;'],
    [
      'what was cut off goes out',
      'this.cut = true;\n    this.#last = null;',
      'this.cut = true;\n    this.#pass();',
      replies,
    ],
    ['parts are held back', 'setImmediate(() => this.#pass());', '', replies],
    ['a Date of ours', 'sendDate: this.sendDate', 'sendDate: true', agent],
  ]),
  ...mutationsOf(out('h2-frames'), frames, [
    ['the preface is a frame', "this.#skip = from === 'client' ? prefaceBytes : 0;", 'this.#skip = 0;'],
    ['empty DATA is free', 'return bytes > 0 || (flags & endStream) !== 0 || this.#control.take(nowMs)', 'return true'],
    [
      'CONTINUATION is free',
      "case type.continuation:\n        this.#headOpen = (flags & endHeaders) === 0;\n        return this.#control.take(nowMs) ? null : 'control-frames';",
      'case type.continuation:\n        this.#headOpen = (flags & endHeaders) === 0;\n        return null;',
    ],
    ['heads are free', "return this.#heads.take(nowMs) ? null : 'heads';", 'return null;'],
    [
      'resets are free',
      "this.#resetsSeen += 1;\n        return this.#resets.take(nowMs) ? null : 'resets';",
      'this.#resetsSeen += 1;\n        return null;',
    ],
    [
      'SETTINGS are free',
      "this.#settingsSeen = true;\n        return this.#control.take(nowMs) ? null : 'control-frames';",
      'this.#settingsSeen = true;\n        return null;',
    ],
    [
      'unknown frames are free',
      "default:\n        return this.#control.take(nowMs) ? null : 'control-frames';",
      'default:\n        return null;',
    ],
    ['a server may push', "return this.#from === 'server' ? 'push' : null;", 'return null;'],
    [
      "a reset of ours is nobody's",
      "return this.#resets.take(nowMs) ? null : 'resets';\n  }\n\n  /**",
      'return null;\n  }\n\n  /**',
    ],
    ['a reset ends in order', 'stream.ended ||= ends;', 'stream.ended ||= ends || resets;'],
    [
      'time fills without end',
      'Math.min(this.#max, this.#tokens + (nowMs - this.#atMs) * this.#perMs)',
      'this.#tokens + (nowMs - this.#atMs) * this.#perMs',
    ],
    [
      'a head that never ends is none',
      'this.#headOpen = (flags & endHeaders) === 0;\n        return this.#heads',
      'this.#headOpen = false;\n        return this.#heads',
    ],
  ]),
  ...mutationsOf(out('h2-exchange'), hostileServer, [
    ['a status that is none', 'if (!(status >= 200 && status <= 599)) return', 'if (status < 0) return'],
    ['any number of interim answers', 'if (interim > limits.interimAnswersMax)', 'if (interim < 0)'],
    [
      'any number of answer headers',
      'if (headers.length > limits.answerHeadersMax) return',
      'if (headers.length < 0) return',
    ],
    [
      'a head of any size',
      "return bytes > limits.answerHeaderBytesMax ? 'sent a head over the limit' : null;",
      'return bytes < 0 ? null : null;',
    ],
    [
      'a reset of the server is its mistake',
      'upstream.wasReset(stream) ? ended(pin) : brokenRules(pin)',
      'brokenRules(pin)',
    ],
    [
      'every reset may be sent again',
      '      return ended(pin);\n    default',
      "      return new StaleSocket('again');\n    default",
    ],
    ['the first byte is waited for without end', '}, options.firstByteTimeoutMs);', '}, 1e8);'],
  ]),
  ...mutationsOf(out('h2-exchange'), server, [
    [
      'authority by the caller',
      "const [, authority = '', ...rest] = checkedHeaders(head, pin);",
      "const [, authority = '', ...rest] = ['Host', pin.host, ...head.headers.flat()];",
    ],
    [
      'a dead connection fails what can be sent again',
      'const silent = reused && upstream.bytesRead === bytesBefore;',
      'const silent = reused && bytesBefore < 0;',
    ],
    [
      'HTTP/1.1 required is a reset',
      "return new WantsHttp1('HTTP/1.1 required');",
      "return new StaleSocket('HTTP/1.1 required');",
    ],
  ]),
  ...mutationsOf(out('h2-body'), hostileServer, [
    [
      'half an answer is whole',
      'if (finished()) this.push(null);\n      else this.#broken(undefined);',
      'this.push(null);',
    ],
  ]),
  ...mutationsOf(out('h2-body'), server, [
    ['a slow reader holds nobody back', 'if (!this.push(chunk)) stream.pause();', 'this.push(chunk);'],
    ['who gives up leaves it running', 'if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);', ''],
  ]),
  ...mutationsOf(out('h2-upstream'), hostileServer, [
    [
      'floods of a server go on',
      'if (abuse === null) return;\n    const error',
      'if (abuse !== null || this.#streams.size > 1e6) return;\n    const error',
    ],
  ]),
  ...mutationsOf(out('h2-upstream'), server, [
    ['any window', 'initialWindowSize: limits.h2StreamWindowBytes,', 'initialWindowSize: 2 ** 31 - 1,'],
    ['push is not forbidden', 'enablePush: false,', 'enablePush: true,'],
    ['an idle connection stays', 'this.#idle = setTimeout(() => this.destroy(), limits.keepAliveIdleMs);', ''],
  ]),
  ...mutationsOf(out('h2-line'), server, [
    [
      'a new connection for each request',
      'if (known !== undefined && known.upstream?.usable !== false) return known.opening;',
      '',
    ],
    ['a closing connection is used', 'return upstream?.usable === false ? undefined : upstream;', 'return upstream;'],
    [
      'a server that wants HTTP/1.1 is asked again',
      'this.#known.set(this.#options.nameOf(pin), { opening: Promise.resolve(null), upstream: null });',
      '',
    ],
    [
      'old addresses stay open',
      'for (const known of this.#known.values()) this.#end(known, (upstream) => upstream.retire());\n    this.#known.clear();\n',
      '',
    ],
  ]),
  ...mutationsOf(out('upstream'), server, [
    [
      'HTTP/2 for an agent that does not speak it',
      "if (request.h2 !== true || request.pin.scheme !== 'https') return null;",
      "if (request.pin.scheme !== 'https') return null;",
    ],
  ]),
];
