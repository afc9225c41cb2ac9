/** One server-sent event. `event: null` leaves the line out, as chat completions do. */
export interface WireEvent {
  readonly event: string | null;
  /** Sent as JSON; a string is sent as it is (`[DONE]`). */
  readonly data: unknown;
}

export function toWire(event: WireEvent): string {
  const data = typeof event.data === 'string' ? event.data : JSON.stringify(event.data);
  return `${event.event === null ? '' : `event: ${event.event}\n`}data: ${data}\n\n`;
}
