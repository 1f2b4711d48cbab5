/**
 * A segment of SysV shared memory: slab cache "shm_segment", in a list by rising index (Word.shmSegments).
 *
 *     0   u32  id: turn × 32768 + index
 *     4   i32  key, 0 = IPC_PRIVATE or removed
 *     8   u32  mode: permissions, ShmMode
 *     12  u32  uid, gid, cuid, cgid
 *     28  Ptr  page object, one reference
 *     32  f64  size in bytes
 *     40  f64  moments of the last attach, detach and change, in seconds
 *     64  u32  process that made it, and the one that attached or detached last
 *     72  Ptr  next segment
 *     76  u32  1: the process that made it has ended
 */
import type { Ptr } from '../../../base/numbers.js'
import type { Memory } from '../../../state/memory.js'

export const SEGMENT_BYTES = 80
export const INDEX_BITS = 15

export const ShmMode = { permissions: 0o777, removed: 0o1000, locked: 0o2000 } as const

/** A view on one record. */
export class ShmSegment {
  readonly #memory: Memory
  readonly ptr: Ptr

  constructor(memory: Memory, ptr: Ptr) {
    this.#memory = memory
    this.ptr = ptr
  }

  #word(offset: number): number {
    return this.#memory.u32[(this.ptr + offset) >>> 2]!
  }
  #setWord(offset: number, value: number): void {
    this.#memory.u32[(this.ptr + offset) >>> 2] = value
  }
  #number(offset: number): number {
    return this.#memory.f64[(this.ptr + offset) >>> 3]!
  }
  #setNumber(offset: number, value: number): void {
    this.#memory.f64[(this.ptr + offset) >>> 3] = value
  }

  get id(): number {
    return this.#word(0)
  }
  set id(id: number) {
    this.#setWord(0, id)
  }
  get index(): number {
    return this.id & ((1 << INDEX_BITS) - 1)
  }

  get key(): number {
    return this.#word(4) | 0
  }
  set key(key: number) {
    this.#setWord(4, key)
  }

  get mode(): number {
    return this.#word(8)
  }
  set mode(mode: number) {
    this.#setWord(8, mode)
  }

  get uid(): number {
    return this.#word(12)
  }
  set uid(uid: number) {
    this.#setWord(12, uid)
  }

  get gid(): number {
    return this.#word(16)
  }
  set gid(gid: number) {
    this.#setWord(16, gid)
  }

  get creatorUid(): number {
    return this.#word(20)
  }
  set creatorUid(uid: number) {
    this.#setWord(20, uid)
  }

  get creatorGid(): number {
    return this.#word(24)
  }
  set creatorGid(gid: number) {
    this.#setWord(24, gid)
  }

  get object(): Ptr {
    return this.#word(28) as Ptr
  }
  set object(object: Ptr) {
    this.#setWord(28, object)
  }

  get bytes(): number {
    return this.#number(32)
  }
  set bytes(bytes: number) {
    this.#setNumber(32, bytes)
  }

  get attached(): number {
    return this.#number(40)
  }
  set attached(seconds: number) {
    this.#setNumber(40, seconds)
  }

  get detached(): number {
    return this.#number(48)
  }
  set detached(seconds: number) {
    this.#setNumber(48, seconds)
  }

  get changed(): number {
    return this.#number(56)
  }
  set changed(seconds: number) {
    this.#setNumber(56, seconds)
  }

  get creator(): number {
    return this.#word(64)
  }
  set creator(pid: number) {
    this.#setWord(64, pid)
  }

  get last(): number {
    return this.#word(68)
  }
  set last(pid: number) {
    this.#setWord(68, pid)
  }

  get next(): Ptr {
    return this.#word(72) as Ptr
  }
  set next(segment: Ptr) {
    this.#setWord(72, segment)
  }

  get isOrphan(): boolean {
    return this.#word(76) !== 0
  }
  set isOrphan(value: boolean) {
    this.#setWord(76, value ? 1 : 0)
  }
}
