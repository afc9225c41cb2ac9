/** How often a peer may send what makes work and carries nothing. */
export interface FrameLimits {
  readonly resetsBurst: number;
  readonly resetsPerSecond: number;
  readonly controlFramesBurst: number;
  readonly controlFramesPerSecond: number;
  readonly headsBurst: number;
  readonly headsPerSecond: number;
}

/** What there was too much of. */
export type FrameAbuse = 'resets' | 'control-frames' | 'heads' | 'push';

const type = { data: 0, headers: 1, rstStream: 3, settings: 4, pushPromise: 5, continuation: 9 } as const;
const endStream = 0x1;
const endHeaders = 0x4;
const frameHeadBytes = 9;
/** `PRI * HTTP/2.0 …` (RFC 9113 §3.4); that it is right, nghttp2 checks. */
const prefaceBytes = 24;

/**
 * Reads the head of every frame that a peer sends (RFC 9113 §4.1) and counts. nghttp2 bounds most floods, but by
 * numbers of its own, and not at all what is sent slowly or answered at once (PING, SETTINGS), nor WINDOW_UPDATE, nor
 * heads that it refuses by itself. Pure: the time is an argument, and no byte is kept or changed.
 */
export class FrameMeter {
  readonly #resets: Bucket;
  readonly #control: Bucket;
  readonly #heads: Bucket;
  readonly #head = Buffer.alloc(frameHeadBytes);
  #headHave = 0;
  #skip: number;
  readonly #from: 'client' | 'server';
  /** Streams that somebody asked about, and what the peer has done with them. */
  readonly #followed = new Map<number, { ended: boolean; reset: boolean }>();
  #bytesRead = 0;
  #resetsSeen = 0;
  #resetsMet = 0;
  #settingsSeen = false;
  #headOpen = false;

  constructor(limits: FrameLimits, from: 'client' | 'server', nowMs: number) {
    this.#resets = new Bucket(limits.resetsBurst, limits.resetsPerSecond, nowMs);
    this.#control = new Bucket(limits.controlFramesBurst, limits.controlFramesPerSecond, nowMs);
    this.#heads = new Bucket(limits.headsBurst, limits.headsPerSecond, nowMs);
    this.#skip = from === 'client' ? prefaceBytes : 0;
    this.#from = from;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get settingsSeen(): boolean {
    return this.#settingsSeen;
  }

  /** A header block has begun and not ended: until it does, nothing else can be said on the connection. */
  get headOpen(): boolean {
    return this.#headOpen;
  }

  /** null: within bounds. Else the bytes should go no further. */
  read(chunk: Buffer, nowMs: number): FrameAbuse | null {
    this.#bytesRead += chunk.length;
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const wanted = Math.min(frameHeadBytes - this.#headHave, chunk.length - at);
      chunk.copy(this.#head, this.#headHave, at, at + wanted);
      this.#headHave += wanted;
      at += wanted;
      if (this.#headHave < frameHeadBytes) return null;
      this.#headHave = 0;
      this.#skip = this.#head.readUIntBE(0, 3);
      const kind = this.#head[3] ?? 0;
      const flags = this.#head[4] ?? 0;
      if (this.#followed.size > 0) this.#watchEnd(kind, flags);
      const abuse = this.#count(kind, flags, this.#skip, nowMs);
      if (abuse !== null) return abuse;
    }
    return null;
  }

  /** A body that we send earns the peer its WINDOW_UPDATEs: some give back a window for every few KiB. */
  wrote(bytes: number): void {
    this.#control.earn(4 + bytes / 1024);
  }

  /** A stream came of a head (and may bring trailers), so it was none that was refused before anybody saw it. */
  accepted(heads = 2): void {
    this.#heads.earn(heads);
    this.#control.earn(8);
  }

  /**
   * A stream ended before its answer did. Where no RST_STREAM of the peer stands behind it, the peer made us send one
   * (CVE-2025-8671), which costs the same work and counts the same.
   */
  aborted(nowMs: number): FrameAbuse | null {
    if (this.#resetsMet < this.#resetsSeen) {
      this.#resetsMet += 1;
      return null;
    }
    return this.#resets.take(nowMs) ? null : 'resets';
  }

  /**
   * From now on {@link finished} knows about the stream. Node takes a broken connection, and RST_STREAM with NO_ERROR, for
   * the end of a body; only END_STREAM is one.
   */
  follow(stream: number): void {
    this.#followed.set(stream, { ended: false, reset: false });
  }

  forget(stream: number): void {
    this.#followed.delete(stream);
  }

  finished(stream: number): boolean {
    return this.#followed.get(stream)?.ended === true;
  }

  /** The peer has broken the stream off, with whatever code. */
  wasReset(stream: number): boolean {
    return this.#followed.get(stream)?.reset === true;
  }

  #watchEnd(kind: number, flags: number): void {
    const ends = (kind === type.data || kind === type.headers) && (flags & endStream) !== 0;
    const resets = kind === type.rstStream;
    if (!ends && !resets) return;
    const stream = this.#followed.get(this.#head.readUInt32BE(5) & 0x7fffffff);
    if (stream === undefined) return;
    stream.ended ||= ends;
    stream.reset ||= resets;
  }

  #count(kind: number, flags: number, bytes: number, nowMs: number): FrameAbuse | null {
    switch (kind) {
      case type.data:
        return bytes > 0 || (flags & endStream) !== 0 || this.#control.take(nowMs) ? null : 'control-frames';
      case type.headers:
        this.#headOpen = (flags & endHeaders) === 0;
        return this.#heads.take(nowMs) ? null : 'heads';
      case type.continuation:
        this.#headOpen = (flags & endHeaders) === 0;
        return this.#control.take(nowMs) ? null : 'control-frames';
      case type.rstStream:
        this.#resetsSeen += 1;
        return this.#resets.take(nowMs) ? null : 'resets';
      case type.settings:
        this.#settingsSeen = true;
        return this.#control.take(nowMs) ? null : 'control-frames';
      case type.pushPromise:
        // Our SETTINGS, which stand before every request, forbid it (RFC 9113 §8.4); a client can never push.
        return this.#from === 'server' ? 'push' : null;
      default:
        return this.#control.take(nowMs) ? null : 'control-frames';
    }
  }
}

class Bucket {
  readonly #max: number;
  readonly #perMs: number;
  #tokens: number;
  #atMs: number;

  constructor(burst: number, perSecond: number, nowMs: number) {
    this.#max = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  take(nowMs: number): boolean {
    // What was earned may lie above the burst; time alone fills no further than to it.
    if (this.#tokens < this.#max) {
      this.#tokens = Math.min(this.#max, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    }
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  earn(count: number): void {
    this.#tokens += count;
  }
}
