/*
 * As much of Thrift's compact protocol as walking over a Parquet footer takes. Specification: thrift,
 * doc/specs/thrift-compact-protocol.md. Values are skipped, not decoded, so that a copy keeps every byte.
 */

export const THRIFT_TYPE = { stop: 0, true: 1, false: 2, byte: 3, i16: 4, i32: 5, i64: 6, double: 7 } as const;
export const THRIFT_CONTAINER = { binary: 8, list: 9, set: 10, map: 11, struct: 12, uuid: 13 } as const;

export interface ThriftField {
  readonly id: number;
  readonly type: number;
  /** Where the field's header starts. */
  readonly start: number;
}

/** A position in a buffer that moves over values. Every read past the end throws a RangeError. */
export class ThriftCursor {
  readonly bytes: Uint8Array;
  position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.bytes = bytes;
    this.position = position;
  }

  byte(): number {
    const value = this.bytes[this.position];
    if (value === undefined) throw new RangeError(`the structure goes on behind its end at byte ${this.position}`);
    this.position += 1;
    return value;
  }

  /** An unsigned LEB128 number; exact up to 2^53, which no size in a footer exceeds. */
  varint(): number {
    let value = 0;
    for (let weight = 1; weight <= 2 ** 63; weight *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
    }
    throw new RangeError(`a number of more than 64 bits before byte ${this.position}`);
  }

  /** A signed number; non-negative ones up to 2^52 are exact. */
  integer(): number {
    const zigzag = this.varint();
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
  }

  /** The next field of a struct, or null at its end. `previousId` is the id of the field before it, 0 at first. */
  field(previousId: number): ThriftField | null {
    const start = this.position;
    const head = this.byte();
    const type = head & 0x0f;
    if (type === THRIFT_TYPE.stop) return null;
    const delta = head >> 4;
    return { id: delta === 0 ? this.integer() : previousId + delta, type, start };
  }

  list(): { readonly size: number; readonly type: number } {
    const head = this.byte();
    const size = head >> 4;
    return { size: size === 15 ? this.varint() : size, type: head & 0x0f };
  }

  text(): string {
    const length = this.varint();
    const start = this.position;
    this.advance(length);
    return new TextDecoder().decode(this.bytes.subarray(start, this.position));
  }

  advance(length: number): void {
    if (this.position + length > this.bytes.length) throw new RangeError(`a value of ${length} bytes ends too early`);
    this.position += length;
  }

  /** Moves behind a value. `inList` matters for booleans, which a field keeps in its header. */
  skip(type: number, inList = false): void {
    if (type === THRIFT_TYPE.true || type === THRIFT_TYPE.false) this.advance(inList ? 1 : 0);
    else if (type === THRIFT_TYPE.byte) this.advance(1);
    else if (type >= THRIFT_TYPE.i16 && type <= THRIFT_TYPE.i64) this.varint();
    else if (type === THRIFT_TYPE.double) this.advance(8);
    else if (type === THRIFT_CONTAINER.binary) this.advance(this.varint());
    else if (type === THRIFT_CONTAINER.uuid) this.advance(16);
    else if (type === THRIFT_CONTAINER.struct) this.#skipStruct();
    else if (type === THRIFT_CONTAINER.list || type === THRIFT_CONTAINER.set) this.#skipList();
    else if (type === THRIFT_CONTAINER.map) this.#skipMap();
    else throw new RangeError(`there is no type ${type}, before byte ${this.position}`);
  }

  #skipStruct(): void {
    for (let field = this.field(0); field; field = this.field(field.id)) this.skip(field.type);
  }

  #skipList(): void {
    const { size, type } = this.list();
    for (let index = 0; index < size; index++) this.skip(type, true);
  }

  #skipMap(): void {
    const size = this.varint();
    if (size === 0) return;
    const types = this.byte();
    for (let index = 0; index < size; index++) {
      this.skip(types >> 4, true);
      this.skip(types & 0x0f, true);
    }
  }
}

/** An unsigned LEB128 number. */
export function encodeVarint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

/** A non-negative integer. */
export function encodeInteger(value: number): number[] {
  return encodeVarint(value * 2);
}

export function encodeListHeader(size: number, type: number): number[] {
  return size < 15 ? [(size << 4) | type] : [0xf0 | type, ...encodeVarint(size)];
}

/** A field header, in the short form when the step from the previous id allows. */
export function encodeFieldHeader(id: number, previousId: number, type: number): number[] {
  const delta = id - previousId;
  return delta > 0 && delta < 16 ? [(delta << 4) | type] : [type, ...encodeInteger(id)];
}
