/**
 * A snapshot is a copy of the buffer, taken with the harts at a safe point. Frames that are all zero are left
 * out, so that a machine that touched 10 MiB costs 10 MiB.
 */
import { EINVAL, ErrnoError } from '../base/errno.js'
import { PAGE_SIZE, type Pfn, type Ptr } from '../base/numbers.js'
import { Region, regionBytes, regionPtr, Word, wordIndex } from './layout.js'
import type { Memory } from './memory.js'

const WORDS_PER_FRAME = PAGE_SIZE / 4
const LAST_HART = wordIndex(Word.lastHart)
const RESTORES = wordIndex(Word.restores)

export interface Snapshot {
  readonly bytes: number
  /** Frames kept, rising; `contents` holds them one after another. */
  readonly frames: Uint32Array
  readonly contents: Uint8Array
}

/** What a translator keeps: it can be made again, and means nothing to another run. */
const CACHES = [Region.codeStamps, Region.codeEntries]

/** The decode tables: each version of Pagoda makes its own, and a machine has them as soon as it has a hart. */
const TABLES = [Region.scratch]

/** What harts and loops leave behind: nobody looks at it again. */
const SCRATCH = [Region.tlbs, Region.tlbHeaders, Region.mailboxes, Region.entryLoops, ...TABLES]

/** Whether a frame is in one of the regions; one that a machine does not have holds none. */
function inRegions(memory: Memory, regions: readonly Region[]): (frame: number) => boolean {
  const ranges = regions.map((region) => {
    const bytes = regionBytes(memory, region)
    const first = bytes === 0 ? 0 : regionPtr(memory, region) / PAGE_SIZE
    return { first, end: first + Math.ceil(bytes / PAGE_SIZE) }
  })
  return (frame) => ranges.some(({ first, end }) => frame >= first && frame < end)
}

function isZeroFrame(u32: Uint32Array, frame: number): boolean {
  const start = frame * WORDS_PER_FRAME
  for (let word = start; word < start + WORDS_PER_FRAME; word++) if (u32[word] !== 0) return false
  return true
}

export function takeSnapshot(memory: Memory): Snapshot {
  const kept: Pfn[] = []
  const isLeftOut = inRegions(memory, [...CACHES, ...TABLES])
  for (let frame = 0; frame < memory.bytes / PAGE_SIZE; frame++) {
    if (!isLeftOut(frame) && !isZeroFrame(memory.u32, frame)) kept.push(frame as Pfn)
  }
  const contents = new Uint8Array(kept.length * PAGE_SIZE)
  kept.forEach((frame, i) => {
    contents.set(memory.u8.subarray(frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE), i * PAGE_SIZE)
  })
  return { bytes: memory.bytes, frames: Uint32Array.from(kept), contents }
}

/**
 * Puts a snapshot back, into the memory that it was taken from or another of the same size; else throws an ErrnoError. Threads
 * that have attached since keep their hart numbers.
 */
export function restoreSnapshot(memory: Memory, snapshot: Snapshot): void {
  if (snapshot.bytes !== memory.bytes) {
    throw new ErrnoError('restore: a snapshot fits only a memory of its size', EINVAL)
  }
  const lastHart = memory.u32[LAST_HART]!
  const restores = memory.u32[RESTORES]!
  putBack(memory, snapshot)
  memory.u32[LAST_HART] = Math.max(memory.u32[LAST_HART]!, lastHart)
  memory.u32[RESTORES] = restores + 1
}

/** Frame 0, which says where regions are, is in every snapshot. */
function putBack(memory: Memory, { frames, contents }: Snapshot): void {
  let stays = (_: number): boolean => false
  let next = 0
  for (let frame = 0; frame < memory.bytes / PAGE_SIZE; frame++) {
    const at = next * PAGE_SIZE
    const isKept = frames[next] === frame
    if (isKept) next++
    if (stays(frame)) continue
    if (isKept) memory.u8.set(contents.subarray(at, at + PAGE_SIZE), frame * PAGE_SIZE)
    else if (!isZeroFrame(memory.u32, frame)) memory.fill((frame * PAGE_SIZE) as Ptr, 0, PAGE_SIZE)
    if (frame === 0) stays = inRegions(memory, TABLES)
  }
}

/**
 * A 64-bit hash of RAM as 16 hex digits, the same on every machine for the same state. Translation caches and
 * per-hart scratch are left out: they may be rebuilt at any time.
 */
export function hashMemory(memory: Memory): string {
  const restores = memory.u32[RESTORES]!
  memory.u32[RESTORES] = 0
  const hash = hashWords(memory)
  memory.u32[RESTORES] = restores
  return hash
}

function hashWords(memory: Memory): string {
  const isSkipped = inRegions(memory, [...SCRATCH, ...CACHES])
  const { u32 } = memory
  let low = 0x811c9dc5
  let high = 0x2f0b4c1d
  for (let frame = 0; frame < memory.bytes / PAGE_SIZE; frame++) {
    if (isSkipped(frame) || isZeroFrame(u32, frame)) continue
    low = Math.imul(low ^ frame, 0x01000193)
    const start = frame * WORDS_PER_FRAME
    for (let word = start; word < start + WORDS_PER_FRAME; word++) {
      low = Math.imul(low ^ u32[word]!, 0x01000193)
      low = (low << 13) | (low >>> 19)
      high = Math.imul(high + low, 0x85ebca6b) ^ (high >>> 15)
    }
  }
  return (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0')
}
