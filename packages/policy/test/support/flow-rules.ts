import { coreCeiling } from '../../src/index.ts';

/** R0 to R8 for one person (solo), and the open permit: as they are shipped. */
export const flowCeiling: Readonly<Record<string, string>> = coreCeiling.policies;

/** Everything that the layers above let through. */
export const anyone = 'permit (principal, action, resource);';

interface Plant {
  readonly name: string;
  /** In place of a rule of the ceiling; an id that is not there adds one. */
  readonly rule?: readonly [id: string, text: string];
  readonly tenant?: Readonly<Record<string, string>>;
  readonly property: string;
}

const egress = 'forbid (principal, action in Cordon::Action::"egress", resource)';

/** Twenty mistakes of the kind that people make and reviewers read over: a condition the wrong way round, or none. */
export const plants: readonly Plant[] = [
  {
    name: 'a stop that holds while the session lives',
    rule: ['ceiling/core/R0-live', 'forbid (principal, action, resource) when { context.live && context.depth > 4 };'],
    property: 'T5',
  },
  {
    name: 'a mandate that only reads are held to',
    rule: [
      'ceiling/core/R0-covered',
      'forbid (principal, action, resource) when { context.effect == Cordon::Effect::"read" } unless { context.covered };',
    ],
    property: 'T5',
  },
  {
    name: 'a pin that an approval lifts',
    rule: [
      'ceiling/core/R0-pinned',
      'forbid (principal, action, resource) unless { context.pinned || context.approval.quorum >= 1 };',
    ],
    property: 'T5',
  },
  {
    name: 'a breaker that opens with its step',
    rule: [
      'ceiling/core/R0-breaker',
      'forbid (principal, action, resource) unless { context.breaker == 0 || context.breaker == 2 || context.effect == Cordon::Effect::"read" };',
    ],
    property: 'T6',
  },
  {
    name: 'a breaker compared the wrong way round',
    rule: ['ceiling/core/R0-breaker', 'forbid (principal, action, resource) when { context.breaker < 1 };'],
    property: 'T6',
  },
  {
    name: 'a quota that forbids while there is some left',
    rule: ['ceiling/core/R0-quota', 'forbid (principal, action, resource) when { context.quotaOk };'],
    property: 'T6',
  },
  {
    name: 'R1 without the destination that nobody vouches for',
    rule: [
      'ceiling/core/R1-share',
      `${egress}\nwhen { context.effect == Cordon::Effect::"share" && context.flow.destInteg == 1 }\nunless { context.approval.quorum >= 1 };`,
    ],
    property: 'T2',
  },
  {
    name: 'R1 with and where or was meant',
    rule: [
      'ceiling/core/R1-spend',
      `${egress}\nwhen { context.effect == Cordon::Effect::"spend" && context.flow.ctxInteg < 1 }\nunless { context.flow.destInteg >= 3 || context.approval.quorum >= 1 };`,
    ],
    property: 'T2',
  },
  {
    name: 'R1 that trusts low integrity',
    rule: [
      'ceiling/core/R1-share',
      `${egress}\nwhen { context.effect == Cordon::Effect::"share" }\nunless { context.flow.destInteg <= 2 || context.approval.quorum >= 1 };`,
    ],
    property: 'T6',
  },
  {
    name: 'R2 compared the wrong way round',
    rule: [
      'ceiling/core/R2',
      `${egress}\nunless { context.flow.argConf >= context.flow.clearance || context.flow.readersOk || context.flow.leakOk };`,
    ],
    property: 'T6',
  },
  {
    name: 'R2 that an approval lifts for secrets too',
    rule: [
      'ceiling/core/R2',
      `${egress}\nunless { context.flow.argConf <= context.flow.clearance || context.flow.readersOk || context.flow.leakOk || context.approval.quorum >= 1 };`,
    ],
    property: 'T4',
  },
  {
    name: 'R2 that stops at private, so that secrets pass',
    rule: [
      'ceiling/core/R2',
      `${egress}\nwhen { context.flow.argConf == 2 && context.flow.clearance < 2 }\nunless { context.flow.readersOk || context.flow.leakOk };`,
    ],
    property: 'T6',
  },
  {
    name: 'R3 one step too high',
    rule: [
      'ceiling/core/R3',
      `${egress}\nwhen { context.flow.ctxInteg < 1 && context.flow.ctxConf > 2 }\nunless { context.effect == Cordon::Effect::"read" || context.flow.destInteg >= 3 || context.approval.quorum >= 1 };`,
    ],
    property: 'T3',
  },
  {
    name: 'R3 for a trusted session instead of an untrusted one',
    rule: [
      'ceiling/core/R3',
      `${egress}\nwhen { context.flow.ctxInteg >= 1 && context.flow.ctxConf > 1 }\nunless { context.effect == Cordon::Effect::"read" || context.flow.destInteg >= 3 || context.approval.quorum >= 1 };`,
    ],
    property: 'T6',
  },
  {
    name: 'R3 that forgets to destroy',
    rule: [
      'ceiling/core/R3',
      `${egress}\nwhen { context.flow.ctxInteg < 1 && context.flow.ctxConf > 1 }\nunless { context.effect == Cordon::Effect::"read" || context.effect == Cordon::Effect::"destroy" || context.flow.destInteg >= 3 || context.approval.quorum >= 1 };`,
    ],
    property: 'T3',
  },
  {
    name: 'R4 for what can be undone',
    rule: [
      'ceiling/core/R4',
      `${egress}\nwhen { context.effect == Cordon::Effect::"destroy" && context.undoable }\nunless { context.approval.quorum >= 1 };`,
    ],
    property: 'T6',
  },
  {
    name: 'an approval that must be weak',
    rule: [
      'ceiling/core/R6',
      `${egress}\nwhen { context.effect == Cordon::Effect::"share" }\nunless { context.flow.linksOk || (context.approval.quorum >= 1 && !context.approval.strong) };`,
    ],
    property: 'T4',
  },
  {
    name: 'an approval by exactly one',
    rule: [
      'ceiling/core/R5',
      `${egress}\nwhen { context.effect == Cordon::Effect::"exec" }\nunless { context.flow.argInteg >= 1 || context.approval.quorum == 1 };`,
    ],
    property: 'T4',
  },
  {
    name: 'a grant for anomalies only',
    tenant: {
      'tenant/odd':
        'permit (principal, action == Cordon::Action::"http.request", resource in Cordon::Domain::"example.com") when { context.anomaly > 1 };',
    },
    property: 'T6',
  },
  {
    name: 'a grant for untrusted arguments only, on one path',
    tenant: {
      'tenant/path':
        'permit (principal, action == Cordon::Action::"http.request", resource == Cordon::Origin::"https://api.example.com:443") when { context.http.route like "/0:upload/*" && context.http.method == "PUT" && context.flow.argInteg <= 1 };',
    },
    property: 'T6',
  },
];
