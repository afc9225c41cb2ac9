/** Request targets in which one reader finds the granted host and another one a different host; all refused. */
export const targetTricks: ReadonlyArray<{ readonly name: string; readonly target: (granted: string) => string }> = [
  { name: 'userinfo that is the granted host', target: (host) => `http://${host}@evil.example.com/` },
  { name: 'userinfo with a password', target: (host) => `http://${host}:80@evil.example.com/` },
  { name: 'userinfo before the granted host', target: (host) => `http://evil.example.com@${host}/` },
  { name: 'two userinfos', target: (host) => `http://a@evil.example.com@${host}/` },
  { name: 'empty userinfo', target: (host) => `http://@${host}/` },
  { name: 'backslash and userinfo', target: (host) => `http://evil.example.com\\@${host}/` },
  { name: 'backslash behind the host', target: (host) => `http://${host}\\.evil.example.com/` },
  { name: 'backslashes instead of slashes', target: (host) => `http:\\\\${host}/` },
  { name: 'fragment and userinfo', target: (host) => `http://evil.example.com#@${host}/` },
  { name: 'escaped fragment in the host', target: (host) => `http://evil.example.com%23@${host}/` },
  { name: 'escaped slash in the host', target: (host) => `http://evil.example.com%2f${host}/` },
  { name: 'escaped dot in the host', target: (host) => `http://${host.replace('.', '%2e')}/` },
  { name: 'escaped NUL behind the host', target: (host) => `http://${host}%00.evil.example.com/` },
  { name: 'escaped tab in the host', target: (host) => `http://${host}%09.evil.example.com/` },
  { name: 'one slash', target: (host) => `http:/${host}/` },
  { name: 'no slash', target: (host) => `http:${host}/` },
  { name: 'three slashes', target: (host) => `http:///${host}/` },
  { name: 'no scheme', target: (host) => `//${host}/` },
  { name: 'another scheme', target: (host) => `gopher://${host}/` },
  { name: 'a file', target: () => 'file:///etc/passwd' },
  { name: 'a scheme in a scheme', target: (host) => `url:http://${host}/` },
  { name: 'a port that is a host', target: (host) => `http://${host}:evil.example.com/` },
  { name: 'two ports', target: (host) => `http://${host}:80:80/` },
  { name: 'a negative port', target: (host) => `http://${host}:-1/` },
  { name: 'a port over 65535', target: (host) => `http://${host}:65616/` },
  { name: 'an empty host', target: () => 'http://:80/' },
  { name: 'a final dot', target: (host) => `http://${host}./` },
  { name: 'two dots', target: (host) => `http://${host.replace('.', '..')}/` },
  { name: 'a leading dot', target: (host) => `http://.${host}/` },
  { name: 'a bracket behind the host', target: (host) => `http://${host}]/` },
  { name: 'the host in brackets', target: (host) => `http://[${host}]/` },
  { name: 'a label of 64 bytes', target: (host) => `http://${'a'.repeat(64)}.${host}/` },
  { name: 'a name of 300 bytes', target: (host) => `http://${'a.'.repeat(145)}${host}/` },
];

/** Written with bytes over 0x7f; a browser would turn each into the granted host. */
export const unicodeHosts: ReadonlyArray<{ readonly name: string; readonly host: string }> = [
  { name: 'full-width letters', host: 'ａｐｉ.example.com' },
  { name: 'ideographic full stop', host: 'api。example.com' },
  { name: 'half-width full stop', host: 'api｡example.com' },
  { name: 'one dot leader', host: 'api․example.com' },
  { name: 'a zero-width space', host: 'api\u200b.example.com' },
  { name: 'a soft hyphen', host: 'ap\u00adi.example.com' },
  { name: 'circled digits', host: '①②⑦.⓪.⓪.①' },
  { name: 'sharp s', host: 'apiß.example.com' },
  { name: 'right-to-left override', host: 'api\u202e.example.com' },
  { name: 'Cyrillic а', host: '\u0430pi.example.com' },
];

/** No name that anybody could have registered. */
export const brokenLabels: readonly string[] = [
  'xn--a.example.com',
  'xn--0.example.com',
  'xn--api-.example.com',
  '-api.example.com',
  'api-.example.com',
  'a..example.com',
  'api.example.com.',
  `${'a'.repeat(64)}.example.com`,
];

/** Other hosts that look like `api.example.com`: well formed, and granted by nobody. */
export const lookalikes: readonly string[] = [
  'api.example.com.evil.example',
  'api.example.co',
  'api-example.com',
  'xapi.example.com',
  'api.example.com-evil.example',
  'example.com',
  'x.api.example.com',
  'apiexample.com',
  // Cyrillic letters.
  'xn--80a6a1d.example.com',
  'api.xn--exmple-4nf.com',
];
