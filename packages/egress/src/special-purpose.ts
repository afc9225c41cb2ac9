/**
 * IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890, RFC 8190) with the multicast and reserved blocks,
 * read on 2026-11-21. One row per block: [prefix, what the registry calls it, our class].
 * Blocks that the registry marks "globally reachable" and that name ordinary services (AS112, AMT) are `public`.
 * The most specific row wins; IPv4 without a row is public, IPv6 without a row is public inside 2000::/3 only.
 */
export const registryDate = '2026-11-21';

export const addressClasses = [
  // From harmless to worst: an address that embeds another is judged by the worse of both.
  'public',
  'shared',
  'private',
  'link-local',
  'self',
  'loopback',
  'documentation',
  'reserved',
  'unspecified',
  'broadcast',
  'multicast',
  'control',
  'metadata',
] as const;
export type AddressClass = (typeof addressClasses)[number];

export const specialPurpose: ReadonlyArray<readonly [prefix: string, name: string, addressClass: AddressClass]> = [
  ['0.0.0.0/8', '"This network" (RFC 791)', 'reserved'],
  ['0.0.0.0/32', '"This host on this network" (RFC 1122)', 'unspecified'],
  ['10.0.0.0/8', 'Private-Use (RFC 1918)', 'private'],
  ['100.64.0.0/10', 'Shared Address Space (RFC 6598)', 'shared'],
  ['127.0.0.0/8', 'Loopback (RFC 1122)', 'loopback'],
  ['169.254.0.0/16', 'Link Local (RFC 3927)', 'link-local'],
  ['172.16.0.0/12', 'Private-Use (RFC 1918)', 'private'],
  ['192.0.0.0/24', 'IETF Protocol Assignments (RFC 6890)', 'reserved'],
  ['192.0.2.0/24', 'Documentation TEST-NET-1 (RFC 5737)', 'documentation'],
  ['192.31.196.0/24', 'AS112-v4 (RFC 7535)', 'public'],
  ['192.52.193.0/24', 'AMT (RFC 7450)', 'public'],
  ['192.88.99.0/24', 'Deprecated 6to4 Relay Anycast (RFC 7526)', 'reserved'],
  ['192.168.0.0/16', 'Private-Use (RFC 1918)', 'private'],
  ['192.175.48.0/24', 'Direct Delegation AS112 Service (RFC 7534)', 'public'],
  ['198.18.0.0/15', 'Benchmarking (RFC 2544)', 'reserved'],
  ['198.51.100.0/24', 'Documentation TEST-NET-2 (RFC 5737)', 'documentation'],
  ['203.0.113.0/24', 'Documentation TEST-NET-3 (RFC 5737)', 'documentation'],
  ['224.0.0.0/4', 'Multicast (RFC 5771)', 'multicast'],
  ['240.0.0.0/4', 'Reserved (RFC 1112)', 'reserved'],
  ['255.255.255.255/32', 'Limited Broadcast (RFC 8190)', 'broadcast'],

  ['::/128', 'Unspecified Address (RFC 4291)', 'unspecified'],
  ['::1/128', 'Loopback Address (RFC 4291)', 'loopback'],
  // The embedded IPv4 address decides for these two; it is what is reached.
  ['::ffff:0:0/96', 'IPv4-mapped Address (RFC 4291)', 'public'],
  ['64:ff9b::/96', 'IPv4-IPv6 Translation (RFC 6052)', 'public'],
  // Where the IPv4 address stands in this block depends on the operator's prefix length (RFC 6052 §2.2): never.
  ['64:ff9b:1::/48', 'IPv4-IPv6 Translation, local use (RFC 8215)', 'reserved'],
  ['100::/64', 'Discard-Only Address Block (RFC 6666)', 'reserved'],
  ['100:0:0:1::/64', 'Dummy IPv6 Prefix (RFC 9780)', 'reserved'],
  ['2000::/3', 'Global Unicast (RFC 4291)', 'public'],
  // Teredo (2001::/32), ORCHID, benchmarking and the anycast addresses lie in here.
  ['2001::/23', 'IETF Protocol Assignments (RFC 2928)', 'reserved'],
  ['2001:3::/32', 'AMT (RFC 7450)', 'public'],
  ['2001:4:112::/48', 'AS112-v6 (RFC 7535)', 'public'],
  ['2001:db8::/32', 'Documentation (RFC 3849)', 'documentation'],
  ['2002::/16', '6to4 (RFC 3056)', 'reserved'],
  ['2620:4f:8000::/48', 'Direct Delegation AS112 Service (RFC 7534)', 'public'],
  ['3fff::/20', 'Documentation (RFC 9637)', 'documentation'],
  ['5f00::/16', 'Segment Routing SIDs (RFC 9602)', 'reserved'],
  ['fc00::/7', 'Unique-Local (RFC 4193)', 'private'],
  ['fe80::/10', 'Link-Local Unicast (RFC 4291)', 'link-local'],
  ['ff00::/8', 'Multicast (RFC 4291)', 'multicast'],

  // Not of a registry: where clouds serve credentials to whoever asks from inside.
  ['100.100.100.200/32', 'Alibaba Cloud metadata', 'metadata'],
  ['168.63.129.16/32', 'Azure wire server', 'metadata'],
  ['169.254.42.42/32', 'Scaleway metadata', 'metadata'],
  ['169.254.169.254/32', 'AWS, Azure, Google, OpenStack metadata', 'metadata'],
  ['169.254.170.2/32', 'AWS ECS task credentials', 'metadata'],
  ['169.254.170.23/32', 'AWS EKS pod identity', 'metadata'],
  ['192.0.0.192/32', 'Oracle Cloud metadata', 'metadata'],
  ['fd00:42::42/128', 'Scaleway metadata', 'metadata'],
  ['fd00:ec2::23/128', 'AWS EKS pod identity', 'metadata'],
  ['fd00:ec2::254/128', 'AWS metadata', 'metadata'],
  ['fd20:ce::254/128', 'Google Cloud metadata', 'metadata'],
  ['fe80::a9fe:a9fe/128', 'OpenStack metadata', 'metadata'],
];

/** Names under which metadata is served; each with everything below it. */
export const metadataNames: readonly string[] = [
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.internal',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.azure.com',
  'metadata.azure.internal',
  'metadata.oraclecloud.com',
  'metadata.tencentyun.com',
  'metadata.packet.net',
  'metadata.platformequinix.com',
];
