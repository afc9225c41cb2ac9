/** How the client reaches an API: bytes in, bytes out. `unix.ts` is the one for this machine; tests bring their own. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Ends with the answer; leaving the loop closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** A connection that was upgraded: bytes both ways until one side closes. */
export interface ByteStream {
  readonly input: AsyncIterable<Uint8Array>;
  /** Resolves when the other side may be sent more. */
  write(bytes: Uint8Array): Promise<void>;
  close(): void;
}

export interface Transport {
  /** @throws CordonError `unreachable` */
  send(request: ApiRequest): Promise<ApiAnswer>;
  /** @throws CordonError `unreachable`, or ApiError when the server does not switch protocols */
  upgrade(path: string, protocol: string, signal?: AbortSignal): Promise<ByteStream>;
}
