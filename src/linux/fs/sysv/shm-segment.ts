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
 *     80  u32  user whose limit it counts for while it is locked (SHM_LOCK)
 */
import type { Ptr } from '../../../base/numbers.js'
import { RecordView } from '../../../state/record-view.js'

export const SEGMENT_BYTES = 88
export const INDEX_BITS = 15

export const ShmMode = { permissions: 0o777, removed: 0o1000, locked: 0o2000 } as const

/** A view on one record. */
export class ShmSegment extends RecordView {
  get id(): number {
    return this.u32(0)
  }
  set id(id: number) {
    this.setU32(0, id)
  }
  get index(): number {
    return this.id & ((1 << INDEX_BITS) - 1)
  }

  get key(): number {
    return this.u32(4) | 0
  }
  set key(key: number) {
    this.setU32(4, key)
  }

  get mode(): number {
    return this.u32(8)
  }
  set mode(mode: number) {
    this.setU32(8, mode)
  }

  get uid(): number {
    return this.u32(12)
  }
  set uid(uid: number) {
    this.setU32(12, uid)
  }

  get gid(): number {
    return this.u32(16)
  }
  set gid(gid: number) {
    this.setU32(16, gid)
  }

  get creatorUid(): number {
    return this.u32(20)
  }
  set creatorUid(uid: number) {
    this.setU32(20, uid)
  }

  get creatorGid(): number {
    return this.u32(24)
  }
  set creatorGid(gid: number) {
    this.setU32(24, gid)
  }

  get object(): Ptr {
    return this.u32(28) as Ptr
  }
  set object(object: Ptr) {
    this.setU32(28, object)
  }

  get bytes(): number {
    return this.f64(32)
  }
  set bytes(bytes: number) {
    this.setF64(32, bytes)
  }

  get attached(): number {
    return this.f64(40)
  }
  set attached(seconds: number) {
    this.setF64(40, seconds)
  }

  get detached(): number {
    return this.f64(48)
  }
  set detached(seconds: number) {
    this.setF64(48, seconds)
  }

  get changed(): number {
    return this.f64(56)
  }
  set changed(seconds: number) {
    this.setF64(56, seconds)
  }

  get creator(): number {
    return this.u32(64)
  }
  set creator(pid: number) {
    this.setU32(64, pid)
  }

  get last(): number {
    return this.u32(68)
  }
  set last(pid: number) {
    this.setU32(68, pid)
  }

  get next(): Ptr {
    return this.u32(72) as Ptr
  }
  set next(segment: Ptr) {
    this.setU32(72, segment)
  }

  get lockedBy(): number {
    return this.u32(80)
  }
  set lockedBy(uid: number) {
    this.setU32(80, uid)
  }
  get isLocked(): boolean {
    return (this.mode & ShmMode.locked) !== 0
  }

  get isOrphan(): boolean {
    return this.u32(76) !== 0
  }
  set isOrphan(value: boolean) {
    this.setU32(76, value ? 1 : 0)
  }
}
