/**
 * Pipes and FIFOs (pipe(7)), as fs/pipe.c has them: a ring of slots, each a page with bytes in it. The pages are frames of
 * the machine's buffer; which they are and how much is in them is plain data.
 */
import { assert } from '../../../base/assert.js'
import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOMEM, EPIPE } from '../../../base/errno.js'
import { frameToPtr, NO_FRAME, PAGE_SIZE, type Pfn } from '../../../base/numbers.js'
import type { MemoryManager } from '../../../mm.js'
import { Poll } from '../flags.js'
import type { ByteSink, ByteSource } from './byte-flow.js'
import type { EventSource, Events } from './event-source.js'

/** Slots of a new pipe: 64 KiB. */
export const PIPE_SLOTS = 16
/** A pipe of 2 GiB is the largest that F_SETPIPE_SZ can name. */
const SLOTS_MAX = 2 ** 19
const READABLE = Poll.in | Poll.readNormal
const WRITABLE = Poll.out | Poll.writeNormal

export interface PipeSlot {
  /** Counted: tee(2) puts one page into two pipes. */
  readonly frame: Pfn
  /** Where in the page the first byte is that was not read. */
  offset: number
  length: number
  /** Written with O_DIRECT: a read takes no more than this, and the rest of it is lost. */
  readonly isPacket: boolean
  /** Whether a small write may be added to the page. */
  readonly mayGrow: boolean
}

export interface Pipe {
  readonly events: EventSource
  /** Oldest first. */
  slots: PipeSlot[]
  capacity: number
  /** Open files. */
  readers: number
  writers: number
  /** How many there have ever been: an open of a FIFO waits for the next. */
  readersEver: number
  writersEver: number
}

export function isPipeFull(pipe: Pipe): boolean {
  return pipe.slots.length >= pipe.capacity
}

/** Bytes that a pipe takes as whole pages. */
export function pipeRoom(pipe: Pipe): number {
  return (pipe.capacity - pipe.slots.length) * PAGE_SIZE
}

/** FIONREAD. */
export function pipeBytes(pipe: Pipe): number {
  return pipe.slots.reduce((sum, { length }) => sum + length, 0)
}

export class Pipes {
  readonly #mm: MemoryManager
  readonly #events: Events

  constructor(mm: MemoryManager, events: Events) {
    this.#mm = mm
    this.#events = events
  }

  create(): Pipe {
    const events = this.#events.makeSource()
    const counts = { readers: 0, writers: 0, readersEver: 0, writersEver: 0 }
    return { events, slots: [], capacity: PIPE_SLOTS, ...counts }
  }

  /** An end is open. */
  open(pipe: Pipe, reads: boolean, writes: boolean): void {
    if (reads) {
      pipe.readers++
      pipe.readersEver++
    }
    if (writes) {
      pipe.writers++
      pipe.writersEver++
    }
    this.#events.notify(pipe.events, 0)
  }

  /** An end is closed; with the last one goes what is in the pipe. */
  close(pipe: Pipe, reads: boolean, writes: boolean): void {
    if (reads) pipe.readers--
    if (writes) pipe.writers--
    assert(pipe.readers >= 0 && pipe.writers >= 0, 'an end of a pipe is closed once')
    if (pipe.readers === 0 && pipe.writers === 0) this.#empty(pipe)
    else this.#events.notify(pipe.events, READABLE | WRITABLE | Poll.error | Poll.hangUp)
  }

  #empty(pipe: Pipe): void {
    for (const { frame } of pipe.slots) this.#mm.buddy.release(frame)
    pipe.slots = []
  }

  /** Poll bits of an end. `hadWriter`: a FIFO that never had one since this end was opened does not hang up. */
  poll(pipe: Pipe, reads: boolean, writes: boolean, hadWriter = true): number {
    let bits = 0
    if (reads) {
      if (pipe.slots.length > 0) bits |= READABLE
      if (pipe.writers === 0 && hadWriter) bits |= Poll.hangUp
    }
    if (writes) {
      if (!isPipeFull(pipe)) bits |= WRITABLE
      if (pipe.readers === 0) bits |= Poll.error
    }
    return bits
  }

  /** Bytes moved; 0 at the end, when nobody writes; -EAGAIN, -EFAULT. */
  read(pipe: Pipe, sink: ByteSink): number {
    if (sink.left === 0) return 0
    if (pipe.slots.length === 0) return pipe.writers === 0 ? 0 : -EAGAIN
    const wasFull = isPipeFull(pipe)
    let done = 0
    while (sink.left > 0 && pipe.slots.length > 0) {
      const slot = pipe.slots[0]!
      const length = Math.min(slot.length, sink.left)
      const moved = sink.put(this.#bytes(slot, length))
      if (moved < length) {
        if (done === 0) done = -EFAULT
        break
      }
      done += moved
      this.#consume(pipe, slot, moved)
      if (slot.isPacket) break
    }
    if (wasFull && !isPipeFull(pipe)) this.#events.notify(pipe.events, WRITABLE)
    return done
  }

  /**
   * Hands out up to `bytes`, slot by slot, to what says how many of a part it took (or a negative errno): splice(2). Bytes
   * taken, 0 at the end, -EAGAIN, or that errno.
   */
  drain(pipe: Pipe, bytes: number, take: (part: Uint8Array) => number): number {
    if (pipe.slots.length === 0) return pipe.writers === 0 ? 0 : -EAGAIN
    const wasFull = isPipeFull(pipe)
    let done = 0
    while (done < bytes && pipe.slots.length > 0) {
      const slot = pipe.slots[0]!
      const length = Math.min(slot.length, bytes - done)
      const taken = take(this.#bytes(slot, length))
      if (taken < 0 && done === 0) return taken
      if (taken <= 0) break
      done += taken
      this.#consume(pipe, slot, taken)
      if (taken < length) break
    }
    if (wasFull && !isPipeFull(pipe)) this.#events.notify(pipe.events, WRITABLE)
    return done
  }

  /** Where the first bytes of a slot are. */
  #bytes(slot: PipeSlot, length: number): Uint8Array {
    const start = frameToPtr(slot.frame) + slot.offset
    return this.#mm.memory.u8.subarray(start, start + length)
  }

  #consume(pipe: Pipe, slot: PipeSlot, bytes: number): void {
    slot.offset += bytes
    slot.length -= bytes
    if (slot.length > 0 && !slot.isPacket) return
    pipe.slots.shift()
    this.#mm.buddy.release(slot.frame)
  }

  /**
   * Bytes moved: as many as there is room for, page by page, so that up to PIPE_BUF (a page) go together or not at all.
   * -EPIPE, -EAGAIN, -EFAULT, -ENOMEM. `isPacket`: O_DIRECT. `mayMerge`: not when the call goes on after a wait.
   */
  write(pipe: Pipe, source: ByteSource, isPacket: boolean, mayMerge: boolean): number {
    if (source.left === 0) return 0
    if (pipe.readers === 0) return -EPIPE
    const wasEmpty = pipe.slots.length === 0
    const merged = mayMerge ? this.#merge(pipe, source) : 0
    if (merged < 0) return merged
    const appended = this.#append(pipe, source, isPacket)
    const done = merged + Math.max(0, appended)
    if (done > 0 && (wasEmpty || pipe.events.watchers.length > 0)) this.#events.notify(pipe.events, READABLE)
    return done > 0 ? done : appended
  }

  /** What is over the last full page goes into the last slot, if all of it fits there. */
  #merge(pipe: Pipe, source: ByteSource): number {
    const last = pipe.slots[pipe.slots.length - 1]
    const odd = source.left % PAGE_SIZE
    if (last === undefined || !last.mayGrow || odd === 0) return 0
    const end = last.offset + last.length
    if (end + odd > PAGE_SIZE) return 0
    const start = frameToPtr(last.frame) + end
    if (source.get(this.#mm.memory.u8.subarray(start, start + odd)) < odd) return -EFAULT
    last.length += odd
    return odd
  }

  /** New slots until all is written or none is free. */
  #append(pipe: Pipe, source: ByteSource, isPacket: boolean): number {
    let done = 0
    while (source.left > 0) {
      if (isPipeFull(pipe)) return done > 0 ? done : -EAGAIN
      const moved = this.#appendPage(pipe, source, isPacket)
      if (moved < 0) return done > 0 ? done : moved
      done += moved
    }
    return done
  }

  #appendPage(pipe: Pipe, source: ByteSource, isPacket: boolean): number {
    const frame = this.#mm.buddy.allocate(0)
    if (frame === NO_FRAME) return -ENOMEM
    const length = Math.min(source.left, PAGE_SIZE)
    const start = frameToPtr(frame)
    if (source.get(this.#mm.memory.u8.subarray(start, start + length)) < length) {
      this.#mm.buddy.release(frame)
      return -EFAULT
    }
    pipe.slots.push({ frame, offset: 0, length, isPacket, mayGrow: !isPacket })
    return length
  }

  /** tee(2): pages of one pipe into another as well, at most `bytes`. -EAGAIN when there is none, or no room. */
  tee(from: Pipe, to: Pipe, bytes: number): number {
    if (to.readers === 0) return -EPIPE
    if (from.slots.length === 0) return from.writers === 0 ? 0 : -EAGAIN
    let done = 0
    for (const slot of from.slots) {
      const length = Math.min(slot.length, bytes - done)
      if (length === 0 || isPipeFull(to)) break
      this.#share(slot, length, to)
      done += length
    }
    if (done === 0) return bytes === 0 ? 0 : -EAGAIN
    this.#events.notify(to.events, READABLE)
    return done
  }

  #share({ frame, offset, isPacket }: PipeSlot, length: number, to: Pipe): void {
    this.#mm.buddy.retain(frame)
    to.slots.push({ frame, offset, length, isPacket, mayGrow: false })
  }

  /** F_SETPIPE_SZ: the new size in bytes, at least a page; -EINVAL, -EBUSY when more than that is in it. */
  resize(pipe: Pipe, bytes: number): number {
    const pages = Math.max(1, Math.ceil(bytes / PAGE_SIZE))
    if (pages > SLOTS_MAX) return -EINVAL
    const slots = 2 ** Math.ceil(Math.log2(pages))
    if (slots < pipe.slots.length) return -EBUSY
    const wasFull = isPipeFull(pipe)
    pipe.capacity = slots
    if (wasFull && !isPipeFull(pipe)) this.#events.notify(pipe.events, WRITABLE)
    return slots * PAGE_SIZE
  }

  /** Throws InvariantError on a broken invariant. */
  check(pipe: Pipe): void {
    assert(pipe.slots.length <= pipe.capacity, 'a pipe has no more pages than it may')
    for (const { frame, offset, length } of pipe.slots) {
      assert(length > 0 && offset >= 0 && offset + length <= PAGE_SIZE, 'a slot is part of a page')
      assert(this.#mm.frames.refCount(frame) > 0, 'a page in a pipe is allocated')
    }
  }
}
