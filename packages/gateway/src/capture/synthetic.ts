import { digestBytes } from '@cordon/protocol/digest';

/**
 * Names of one session that have an address which stands for them, in 198.18.0.0/15 (RFC 2544) and fd63:6f72:646f:6e::/64
 * (RFC 4193); nothing outside has either. A table per session: what another one was handed out means nothing here.
 *
 * A name's place comes from its digest, so a gateway that starts anew gives a name the same address, and a program that
 * looked it up before the restart is still understood ({@link SyntheticNames.find}).
 */
export class SyntheticNames {
  readonly #namesMax: number;
  /** Oldest first. */
  readonly #places = new Map<string, number>();
  readonly #names = new Map<number, string>();

  constructor(namesMax: number) {
    this.#namesMax = namesMax;
  }

  get size(): number {
    return this.#places.size;
  }

  /** The place of a name, given now or before. The oldest name is dropped over the limit. */
  place(name: string): number {
    const known = this.#places.get(name);
    const place = known ?? this.#free(name);
    this.#places.delete(name);
    this.#places.set(name, place);
    this.#names.set(place, name);
    if (this.#places.size > this.#namesMax) this.#dropOldest();
    return place;
  }

  /** The name that an address stands for; null when it stands for none here. `exact`: names that need no asking for. */
  find(address: string, exact: Iterable<string>): string | null {
    const place = placeOf(address);
    if (place === null) return null;
    const known = this.#names.get(place);
    if (known !== undefined) return known;
    for (const name of exact)
      if (!this.#places.has(name) && firstPlace(name) === place) return this.#names.get(this.place(name)) ?? null;
    return null;
  }

  #free(name: string): number {
    let place = firstPlace(name);
    while (this.#names.has(place)) place = place + 1 < places ? place + 1 : ownPlaces;
    return place;
  }

  #dropOldest(): void {
    for (const [name, place] of this.#places) {
      this.#places.delete(name);
      this.#names.delete(place);
      return;
    }
  }
}

/** Addresses of 198.18.0.0/15; the first are the sandbox's own. */
const places = 2 ** 17;
const ownPlaces = 256;
const v6Prefix = Buffer.from('fd636f72646f006e', 'hex');

function firstPlace(name: string): number {
  return ownPlaces + (Number.parseInt(digestBytes(name).slice(-8), 16) % (places - ownPlaces));
}

export function addressV4(place: number): Buffer {
  return Buffer.from([198, 18 + (place >> 16), (place >> 8) & 0xff, place & 0xff]);
}

/** The low half is the v4 address. */
export function addressV6(place: number): Buffer {
  return Buffer.concat([v6Prefix, Buffer.alloc(4), addressV4(place)]);
}

/** Of an address as Node writes it; null when it is not of our ranges. */
function placeOf(address: string): number | null {
  const v4 = /^198\.(18|19)\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (v4 !== null) return ((Number(v4[1]) - 18) << 16) | (Number(v4[2]) << 8) | Number(v4[3]);
  const v6 = /^fd63:6f72:646f:6e::c6(12|13):([0-9a-f]{1,4})$/.exec(address);
  return v6 === null ? null : ((Number.parseInt(v6[1] ?? '', 16) - 0x12) << 16) | Number.parseInt(v6[2] ?? '', 16);
}
