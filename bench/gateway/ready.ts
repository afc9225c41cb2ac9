/** What one arm of `interception.ts` says of itself when it serves. */
export interface Ready {
  readonly port: number;
  /** Whether it is asked by CONNECT. */
  readonly proxy: boolean;
  /** What a client must trust, PEM. */
  readonly ca: string;
  /** Port of the server, which every name stands for. */
  readonly upstream: number;
  /** What a proxy must trust, PEM. */
  readonly upstreamCa: string;
}

export const domain = 'bench.example';
export const answer = JSON.stringify({ ok: true, text: 'x'.repeat(1000) });
