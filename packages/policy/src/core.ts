import type { LayerSource } from '@cordon/protocol';

/**
 * R0, the core rules: shipped with the code, above every grant, lifted by nobody. Each is a `forbid … unless`, so
 * what is missing forbids.
 */
const coreRules: Readonly<Record<string, string>> = {
  'ceiling/core/R0-live': '@code("session-stopped")\nforbid (principal, action, resource)\nunless { context.live };',
  'ceiling/core/R0-covered': '@code("flow-R0")\nforbid (principal, action, resource)\nunless { context.covered };',
  'ceiling/core/R0-pinned': '@code("flow-R0")\nforbid (principal, action, resource)\nunless { context.pinned };',
  'ceiling/core/R0-quota': '@code("flow-R0")\nforbid (principal, action, resource)\nunless { context.quotaOk };',
  'ceiling/core/R0-breaker':
    '@code("flow-R0")\nforbid (principal, action, resource)\nunless {\n  context.breaker == 0 || (context.breaker == 1 && context.effect == Cordon::Effect::"read")\n};',
};

/** Core rules that others speak of. */
export const coreRuleIds = { breaker: 'ceiling/core/R0-breaker', quota: 'ceiling/core/R0-quota' } as const;
const egress = 'forbid (principal, action in Cordon::Action::"egress", resource)';

/** R1 to R8: what may flow where. A person's approval lifts them as far as each says; nothing lifts secrets out. */
const flowRules: Readonly<Record<string, string>> = {
  'ceiling/core/R1-share': `@code("flow-R1")\n${egress}\nwhen { context.effect == Cordon::Effect::"share" }\nunless { context.flow.destInteg >= 2 || context.approval.quorum >= 1 };`,
  'ceiling/core/R1-spend': `@code("flow-R1")\n${egress}\nwhen { [Cordon::Effect::"spend", Cordon::Effect::"admin"].contains(context.effect) }\nunless { context.flow.destInteg >= 3 || context.approval.quorum >= 1 };`,
  'ceiling/core/R2': `@code("flow-R2")\n${egress}\nwhen { context.effect != Cordon::Effect::"read" }\nunless {\n  context.flow.argConf <= context.flow.clearance || context.flow.readersOk ||\n  (context.approval.quorum >= 1 && context.flow.argConf < 3)\n};`,
  'ceiling/core/R3': `@code("flow-R3")\n${egress}\nwhen { context.flow.ctxInteg < 1 && context.flow.ctxConf > 1 }\nunless {\n  context.effect == Cordon::Effect::"read" || context.flow.destInteg >= 3 || context.approval.quorum >= 1\n};`,
  'ceiling/core/R4': `@code("flow-R4")\n${egress}\nwhen { context.effect == Cordon::Effect::"destroy" }\nunless { context.undoable || context.flow.destInteg >= 3 || context.approval.quorum >= 1 };`,
  'ceiling/core/R5': `@code("flow-R5")\n${egress}\nwhen { context.effect == Cordon::Effect::"exec" }\nunless {\n  (context.flow.destInteg >= 4 && context.flow.argInteg >= 1) || context.approval.quorum >= 1\n};`,
  'ceiling/core/R6': `@code("flow-R6")\n${egress}\nwhen { context.effect == Cordon::Effect::"share" }\nunless { context.flow.linksOk || context.approval.quorum >= 1 };`,
  'ceiling/core/R8': `@code("flow-R8")\n${egress}\nwhen { context.effect == Cordon::Effect::"read" }\nunless {\n  context.flow.argConf <= context.flow.clearance || context.flow.readersOk || context.flow.leakOk ||\n  (context.approval.quorum >= 1 && context.flow.argConf < 3)\n};`,
};

/** The ceiling of a developer's machine: the core rules and one permit, so that the layers below decide. */
export const coreCeiling: LayerSource = {
  name: 'ceiling',
  policies: { ...coreRules, ...flowRules, 'ceiling/open': '@source("shipped")\npermit (principal, action, resource);' },
};

/** For an organisation that writes its own permits: the core rules alone. */
export const coreOnly: LayerSource = { name: 'ceiling', policies: { ...coreRules, ...flowRules } };

/** The tenant's layer where nobody has written one. */
export const openTenant: LayerSource = {
  name: 'tenant',
  policies: { 'tenant/open': '@source("shipped")\npermit (principal, action, resource);' },
};
