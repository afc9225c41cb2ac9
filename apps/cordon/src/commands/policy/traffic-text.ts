import type { TrafficReport } from '@cordon/protocol';
import { type painter, visible } from '../../text.ts';

/** What recorded requests would become, one line each and who says so below. */
export function trafficText(report: TrafficReport, paint: ReturnType<typeof painter>): string {
  const { decisions, changed, changes, skipped, truncated } = report;
  const lines = [`${changed} of ${decisions} recorded decisions would be others`];
  for (const { summary, from, to, code, reasons, count, attempt } of changes) {
    const colour = to === 'allow' ? 'yellow' : 'dim';
    lines.push(`  ${paint(colour, `${from} → ${to}`)}  ${visible(summary)}  ×${count}`);
    lines.push(`      ${code}: ${reasons.map(visible).join(', ')} · cordon policy explain ${attempt}`);
  }
  if (skipped > 0) lines.push(`${skipped} could not be judged again: decided by the gateway, or no longer kept`);
  if (truncated) lines.push('there was more: the newest were taken');
  return `${lines.join('\n')}\n`;
}
