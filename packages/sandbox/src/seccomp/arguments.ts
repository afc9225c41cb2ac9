import { type ArgumentRule, type Condition, errnos, moot, refused } from './rule.ts';

const cloneNamespaces = 0x7e02_0000;
const cloneNewTime = 0x80;
const wholeWord = 0xffff_ffff;
const fileType = 0o170000;

const family = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const;
const protocol = { tcp: 6, udp: 17 } as const;
const socketTypeMask = 0xf;
const stream = 1;
const datagram = 2;
/** AF_UNIX takes a raw socket for a datagram one (unix_create). */
const raw = 3;

const setIdBits = 0o6000;
/** O_CREAT and __O_TMPFILE: without them the mode is whatever lies in the register. */
const creates = 0o100 | 0o20000000;
const coreLimit = 4; // RLIMIT_CORE

/**
 * A set-user-ID file in a directly bound workspace would stay on the host, owned by whoever owns the folder (root, say),
 * where no `nosuid` covers it: any user there could run it. So no call makes one.
 */
function withoutSetId(mode: number, flags?: number): ArgumentRule {
  const when: Condition[] = [{ argument: mode, anyBitOf: setIdBits }];
  if (flags !== undefined) when.push({ argument: flags, anyBitOf: creates });
  return { cases: [{ when, result: refused }], otherwise: 'allow' };
}

/** Regular files, named pipes and sockets; a device (an overlay's whiteout, 0:0, needs no capability) never. */
function nodeRule(argument: number): ArgumentRule {
  return {
    cases: [
      { when: [{ argument, anyBitOf: setIdBits }], result: refused },
      { when: [{ argument, mask: fileType, oneOf: [0, 0o100000, 0o010000, 0o140000] }], result: 'allow' },
    ],
    otherwise: refused,
  };
}

/** System calls that are decided by their arguments, the same in every profile. */
export const argumentRules: ReadonlyMap<string, ArgumentRule> = new Map<string, ArgumentRule>([
  // New namespaces would hand the agent capabilities, and with them mounts, raw sockets and the kernel code behind them.
  ['clone', { cases: [{ when: [{ argument: 0, anyBitOf: cloneNamespaces }], result: refused }], otherwise: 'allow' }],
  [
    'unshare',
    {
      cases: [{ when: [{ argument: 0, anyBitOf: cloneNamespaces | cloneNewTime }], result: refused }],
      otherwise: 'allow',
    },
  ],
  [
    'socket',
    {
      cases: [
        { when: [{ argument: 0, mask: wholeWord, oneOf: [family.unix] }], result: 'allow' },
        // TCP and UDP. Every other protocol (SCTP, DCCP, MPTCP, L2TP) is kernel code that a mere call loads, and works on
        // loopback too; there is nothing here that it could reach for good.
        {
          when: [
            { argument: 0, mask: wholeWord, oneOf: [family.inet, family.inet6] },
            { argument: 1, mask: socketTypeMask, oneOf: [stream, datagram] },
            { argument: 2, mask: wholeWord, oneOf: [0, protocol.tcp, protocol.udp] },
          ],
          result: 'allow',
        },
        {
          when: [{ argument: 0, mask: wholeWord, oneOf: [family.inet, family.inet6] }],
          result: { errno: errnos.EPROTONOSUPPORT },
        },
        // NETLINK_ROUTE lists interfaces (getifaddrs); every other netlink family is attack surface.
        {
          when: [
            { argument: 0, mask: wholeWord, oneOf: [family.netlink] },
            { argument: 2, mask: wholeWord, oneOf: [0] },
          ],
          result: 'allow',
        },
        {
          when: [{ argument: 0, mask: wholeWord, oneOf: [family.netlink] }],
          result: { errno: errnos.EPROTONOSUPPORT },
        },
      ],
      otherwise: { errno: errnos.EAFNOSUPPORT },
    },
  ],
  // A datagram pair can be connected again, to a path socket that somebody else made; a stream pair cannot.
  [
    'socketpair',
    {
      cases: [
        {
          when: [
            { argument: 0, mask: wholeWord, oneOf: [family.unix] },
            { argument: 1, mask: socketTypeMask, oneOf: [datagram, raw] },
          ],
          result: refused,
        },
        { when: [{ argument: 0, mask: wholeWord, oneOf: [family.unix] }], result: 'allow' },
      ],
      otherwise: { errno: errnos.EAFNOSUPPORT },
    },
  ],
  // TIOCSTI types into the operator's terminal, TIOCLINUX pastes into a virtual console.
  [
    'ioctl',
    {
      cases: [{ when: [{ argument: 1, mask: wholeWord, oneOf: [0x5412, 0x541c] }], result: refused }],
      otherwise: 'allow',
    },
  ],
  // Linux, Linux without address randomisation (debuggers), and the query; READ_IMPLIES_EXEC and foreign ABIs not.
  [
    'personality',
    {
      cases: [{ when: [{ argument: 0, mask: wholeWord, oneOf: [0, 0x4_0000, wholeWord] }], result: 'allow' }],
      otherwise: refused,
    },
  ],
  ['mknod', nodeRule(1)],
  ['mknodat', nodeRule(2)],
  ['chmod', withoutSetId(1)],
  ['fchmod', withoutSetId(1)],
  ['fchmodat', withoutSetId(2)],
  ['fchmodat2', withoutSetId(2)],
  ['creat', withoutSetId(1)],
  ['open', withoutSetId(2, 1)],
  ['openat', withoutSetId(3, 2)],
  // RLIMIT_CORE stays 1 (see confine.c): lowered to 0, a crash would start the host's core dump handler, as root.
  [
    'setrlimit',
    { cases: [{ when: [{ argument: 0, mask: wholeWord, oneOf: [coreLimit] }], result: moot }], otherwise: 'allow' },
  ],
  [
    'prlimit64',
    {
      cases: (['low', 'high'] as const).map((half) => ({
        when: [
          { argument: 1, mask: wholeWord, oneOf: [coreLimit] },
          { argument: 2, anyBitOf: wholeWord, ...(half === 'high' ? { half } : {}) },
        ],
        result: moot,
      })),
      otherwise: 'allow',
    },
  ],
]);
