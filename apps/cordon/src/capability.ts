import type { Capability } from '@cordon/sdk';
import { exitStatus } from './exit.ts';
import { type painter, visible } from './text.ts';

/** No promised layers: without capture a program that ignores the proxy finds no route, which is as closed. */
const conveniences: ReadonlySet<string> = new Set(['capture']);

/** Of `cordon doctor`: whether everything that is promised works here. */
export function statusOf(capabilities: readonly Capability[]): number {
  const holds = capabilities.every(({ name, works }) => works || conveniences.has(name));
  return holds ? exitStatus.ok : exitStatus.unavailable;
}

export function capabilityText(capability: Capability, paint: ReturnType<typeof painter>): string {
  const word = capability.works ? paint('green', 'works  ') : paint('red', 'missing');
  const lines = [`${word} ${capability.name.padEnd(14)} ${visible(capability.detail)}`];
  if (!capability.works) {
    lines.push(`        without it: ${visible(capability.cost)}`);
    if (capability.mend !== null) lines.push(`        mend it:    ${visible(capability.mend)}`);
  }
  return `${lines.join('\n')}\n`;
}
