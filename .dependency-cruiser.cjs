// Direction and authority, as ARCHITECTURE.md states them. `tools/boundaries.ts` runs this, then plants one violation
// of each rule and requires that it is found: a check that cannot fail proves nothing.
const pkg = (...names) => `^packages/(${names.join('|')})/src/`;
const all = '^(packages|apps)/[^/]+/src/';

/** Lowest first; a package may import only what stands in an earlier row (and, where said, in its own). */
const direction = [
  ['protocol'],
  ['policy', 'identity', 'ledger', 'behavior'],
  ['egress', 'secrets', 'sandbox', 'store'],
  ['gateway', 'control-plane', 'sdk'],
];

const directionRules = direction.map((row, i) => ({
  name: `direction-${row[0]}`,
  comment: `${row.join(', ')} may only import earlier rows of the direction table, not each other`,
  severity: 'error',
  from: { path: pkg(...row) },
  to: {
    path: '^(packages|apps)/',
    pathNot: [...direction.slice(0, i).map((earlier) => pkg(...earlier)), '^packages/([^/]+)/src/'].slice(0, i),
  },
}));
// The row itself is allowed only inside the same package, which a back-reference expresses.
for (const [i, rule] of directionRules.entries()) {
  rule.from.path = `^packages/(${direction[i].join('|')})/src/`;
  rule.to.pathNot = [...direction.slice(0, i).map((earlier) => pkg(...earlier)), '^packages/$1/src/'];
}

const authority = (name, comment, modules, allowed) => ({
  name: `authority-${name}`,
  comment,
  severity: 'error',
  from: { path: all, pathNot: allowed },
  to: { path: `^(node:)?(${modules})$` },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...directionRules,
    {
      name: 'cli-sees-sdk-only',
      comment: 'the command line and the console use the API like everybody else',
      severity: 'error',
      from: { path: '^apps/(cordon|console)/src/' },
      to: { path: '^(packages|apps)/', pathNot: [pkg('sdk', 'protocol'), '^apps/$1/src/'] },
    },
    {
      name: 'verifier-stands-alone',
      comment: 'the offline verifier trusts the public key, the ledger format and the policy engine, nothing else',
      severity: 'error',
      from: { path: '^apps/verify/src/' },
      to: { path: '^(packages|apps)/', pathNot: [pkg('protocol', 'ledger', 'policy'), '^apps/verify/src/'] },
    },
    {
      name: 'witness-stands-alone',
      comment: 'a witness sees heads and knows the formats of the ledger, nothing else',
      severity: 'error',
      from: { path: '^apps/witness/src/' },
      to: { path: '^(packages|apps)/', pathNot: [pkg('protocol', 'ledger'), '^apps/witness/src/'] },
    },
    {
      name: 'testkit-stays-out',
      comment: 'product code never imports the testkit',
      severity: 'error',
      from: { path: all, pathNot: [pkg('testkit'), '^apps/(demo|attack)/src/'] },
      to: { path: pkg('testkit') },
    },
    authority('processes', 'only sandbox starts processes', 'child_process|cluster', [
      pkg('sandbox', 'testkit'),
      '^apps/cordond/src/', // starts its roles
      '^apps/cordon/src/((daemon|raw-mode)\\.ts|commands/(ledger|demo|attack)\\.ts)$', // starts cordond on demand, the verifier, the demo and the attacks; stty
      '^apps/(demo|attack)/src/', // drive the command line as a person would
    ]),
    authority(
      'network',
      'only egress, the SDK client and the listeners touch the network',
      'net|tls|https?|http2|dgram|dns(/promises)?',
      [
        pkg('egress', 'sdk', 'testkit'),
        '^packages/gateway/src/(listen|http)/', // serves the sockets that the sandbox was born with
        '^packages/control-plane/src/(api|uplink)/', // the API listener, and the private socket of the gateways
        '^packages/control-plane/src/(supervisor|attach)/', // private sockets of the supervisor
        '^packages/sandbox/src/(supervisor|process)/', // private sockets, handed-over listeners
        '^apps/cordond/src/', // opens the private channels, asks witnesses
        '^apps/witness/src/', // a witness is a listener
        '^apps/(demo|attack)/src/',
      ],
    ),
    authority('files', 'only store and ledger write files or talk to a database', 'fs(/promises)?|sqlite', [
      pkg('store', 'ledger', 'testkit'),
      pkg('sandbox'), // cgroup files, workspaces, a session's HOME
      '^packages/sdk/src/effector/file\\.ts$', // the memory of used permits, in the effector's own process
      '^apps/', // composition roots read configuration; the command line reads the user's files
    ]),
    {
      name: 'no-cycle',
      comment: 'a cycle has no layer',
      severity: 'error',
      from: { path: all },
      to: { circular: true },
    },
    {
      name: 'one-entry-per-package',
      comment: 'no deep imports: what a package offers is in its index',
      severity: 'error',
      from: { path: '^(packages|apps)/([^/]+)/src/' },
      to: {
        path: '^packages/[^/]+/src/',
        pathNot: ['^packages/[^/]+/src/index\\.ts$', '^packages/protocol/src/(api|digest|dsse)\\.ts$', '^$1/$2/src/'],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|test)/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      conditionNames: ['cordon-source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
    },
    tsConfig: { fileName: 'tsconfig.base.json' },
    combinedDependencies: true,
  },
};
