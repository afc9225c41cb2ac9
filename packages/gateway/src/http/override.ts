/** CGI and WSGI read `X_Forwarded_For` and `X-Forwarded-For` as one variable. */
export function dashed(key: string): string {
  return key.replaceAll('_', '-');
}

/** With these a server acts on another method or path than the request line's, which is what was judged. */
const overriding: ReadonlySet<string> = new Set([
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-method',
  'x-original-uri',
  'x-original-url',
  'x-override-url',
  'x-rewrite-url',
]);

export function isOverriding(name: string): boolean {
  return overriding.has(dashed(name.toLowerCase()));
}
