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

/** The ceiling of a developer's machine: the core rules and one permit, so that the layers below decide. */
export const coreCeiling: LayerSource = {
  name: 'ceiling',
  policies: { ...coreRules, 'ceiling/open': '@source("shipped")\npermit (principal, action, resource);' },
};

/** For an organisation that writes its own permits: the core rules alone. */
export const coreOnly: LayerSource = { name: 'ceiling', policies: coreRules };

/** The tenant's layer where nobody has written one. */
export const openTenant: LayerSource = {
  name: 'tenant',
  policies: { 'tenant/open': '@source("shipped")\npermit (principal, action, resource);' },
};
