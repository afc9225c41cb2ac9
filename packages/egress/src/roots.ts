import { createSecureContext, getCACertificates, rootCertificates, type SecureContext } from 'node:tls';

/**
 * What upstream certificates are verified against: the system's roots (Node's own where the system has none) and what
 * the composition root adds. One context for all: parsing a hundred roots costs more than a handshake.
 */
export function createUpstreamContext(extraCa: readonly string[]): SecureContext {
  const system = new Set(getCACertificates('system'));
  const roots = system.size > 0 ? [...system] : [...rootCertificates];
  return createSecureContext({ ca: [...roots, ...extraCa], minVersion: 'TLSv1.2' });
}
