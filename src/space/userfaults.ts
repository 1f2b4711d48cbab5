/**
 * Contexts of userfaultfd(2): what the mappings of one address space that are registered with one file have in common, and whom
 * their missing pages are asked of. A file stands for each (linux/fs/ipc/userfault-file.ts), and the context goes with it. The cache
 * has Linux's name, "userfaultfd_ctx_cache":
 *
 *     0   Ptr  address space that the file was made in; NULL once it is gone
 *     4   u32  features (UserfaultFeature), `initialized` since UFFDIO_API
 *     8   u32  flags of the file: USER_MODE_ONLY, O_NONBLOCK, O_CLOEXEC
 *     12  u32  changes of the space that nobody has read of yet: meanwhile no page is filled
 *     16  Ptr  previous context, 20 Ptr next (Word.userfaults; guarded by LockWord.userfaults)
 *     24  heads of the three lists of what is to be read (linux/userfault-queues.ts)
 *     48  u32  1 while a file stands for it
 *
 * The memory manager knows neither files nor threads. What it has to say to them it leaves here: the page that a fault must wait
 * for (`missed`), and the changes that are to be read of (`changes`). Who made the call or the access takes them from here.
 */
import { assert } from '../base/assert.js'
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { SlabAllocator } from '../slab/slab-allocator.js'
import type { SlabCache } from '../slab/slab-cache.js'
import { type AtomicWords, LockRank } from '../state/atomics.js'
import { LockWord, lockPtr, Word, wordIndex } from '../state/layout.js'
import type { Memory } from '../state/memory.js'
import { MESSAGE_BYTES, type SpaceChange, UserfaultMessages } from './userfault-message.js'

/** UFFD_FEATURE_*, as far as riscv64 has them (include/uapi/linux/userfaultfd.h). */
export const UserfaultFeature = {
  eventFork: 0x2,
  eventRemap: 0x4,
  eventRemove: 0x8,
  missingHugetlbfs: 0x10,
  missingShmem: 0x20,
  eventUnmap: 0x40,
  sigbus: 0x80,
  threadId: 0x100,
  minorHugetlbfs: 0x200,
  minorShmem: 0x400,
  exactAddress: 0x800,
  poison: 0x4000,
  move: 0x1_0000,
  /** Internal: UFFDIO_API has been called. */
  initialized: 0x8000_0000,
} as const

/** UFFD_USER_MODE_ONLY: faults of the kernel, on behalf of a system call, are not handed to the file. */
export const USER_MODE_ONLY = 1

/** A page that a fault found missing (or unmapped, `isMinor`), and whose context is to be asked for it. */
export interface MissedPage {
  readonly context: Ptr
  readonly vpn: Vpn
  /** Of the byte that the kernel wanted, or of the page. */
  readonly address: number
  readonly isWrite: boolean
  readonly isMinor: boolean
}

/** Whether a removal may be done: its readers know of it; they must read of it first; it is done already. */
export type Removal = 'told' | 'wait' | 'done'

const RECORD_BYTES = 56
/** In a context's record. */
export const USERFAULT_LISTS = 24
const IS_OPEN = 48
const LIST = wordIndex(Word.userfaults)
const LOCK = lockPtr(LockWord.userfaults)

export class Userfaults {
  readonly #memory: Memory
  readonly #atomics: AtomicWords
  readonly #cache: SlabCache
  readonly #messageCache: SlabCache
  readonly messages: UserfaultMessages
  /** Records for changes that have no errno left to say that there is no memory. */
  #spares: Ptr[] = []
  /** The first page that a fault of this thread's has missed, until somebody has taken it. */
  missed: MissedPage | undefined
  /** Records of the changes that the call that runs has made, and nobody has been told of yet, in the order in which they are told. */
  changes: Ptr[] = []
  /** Asked before pages are dropped whose readers want to know first (MADV_DONTNEED). Without anybody to ask they are dropped. */
  removal: ((context: Ptr, start: Vpn, end: Vpn) => Removal) | undefined
  /** Takes over what cannot be stored now because a page is missing, and says whether it does. */
  postpone: ((space: Ptr, address: number, bytes: Uint8Array) => boolean) | undefined

  constructor(memory: Memory, atomics: AtomicWords, slab: SlabAllocator) {
    this.#memory = memory
    this.#atomics = atomics
    this.#cache = slab.createCache('userfaultfd_ctx_cache', RECORD_BYTES, 8)
    this.#messageCache = slab.createCache('userfaultfd_message', MESSAGE_BYTES, 8)
    this.messages = new UserfaultMessages(memory)
  }

  /** Whether there is any context: most machines never have one. */
  get isUsed(): boolean {
    return this.#memory.u32[LIST] !== NULL
  }

  /** A new context of a space, not initialised; NULL without memory. */
  create(space: Ptr, flags: number): Ptr {
    const context = this.#cache.allocateZeroed()
    if (context === NULL) return NULL
    this.#set(context, 0, space)
    this.#set(context, 8, flags)
    this.#locked(() => {
      const next = this.#memory.u32[LIST]! as Ptr
      this.#set(context, 20, next)
      if (next !== NULL) this.#set(next, 16, context)
      this.#memory.u32[LIST] = context
    })
    return context
  }

  /** Gives a context back that no mapping is registered with any more. */
  free(context: Ptr): void {
    this.#locked(() => {
      const [previous, next] = [this.#word(context, 16), this.#word(context, 20)]
      if (next !== NULL) this.#set(next, 16, previous)
      if (previous !== NULL) this.#set(previous, 20, next)
      else this.#memory.u32[LIST] = next
    })
    this.#cache.free(context)
  }

  /** A space goes: its mappings with it, and nobody is told. */
  leaveSpace(space: Ptr): void {
    for (const context of this.all()) if (this.space(context) === space) this.#set(context, 0, NULL)
  }

  /** NULL once it is gone. */
  space(context: Ptr): Ptr {
    return this.#word(context, 0)
  }

  /** UserfaultFeature bits. */
  features(context: Ptr): number {
    return this.#word(context, 4)
  }

  setFeatures(context: Ptr, features: number): void {
    this.#set(context, 4, features)
  }

  has(context: Ptr, feature: number): boolean {
    return (this.features(context) & feature) !== 0
  }

  flags(context: Ptr): number {
    return this.#word(context, 8)
  }

  /** Whether the space has changed, and nobody has read of it yet. */
  isChanging(context: Ptr): boolean {
    return this.#word(context, 12) > 0
  }

  /** Whether a file stands for a context, which may be gone. */
  isOpen(context: Ptr): boolean {
    return this.all().includes(context) && this.#word(context, IS_OPEN) !== 0
  }

  setOpen(context: Ptr, isOpen: boolean): void {
    this.#set(context, IS_OPEN, isOpen ? 1 : 0)
  }

  /** A change that will have to be read of; false without memory, and nobody hears of it. */
  announce(change: SpaceChange): boolean {
    const record = this.#spares.pop() ?? this.#messageCache.allocate()
    if (record === NULL) return false
    this.messages.write(record, change)
    this.beginChange(change.context)
    this.changes.push(record)
    return true
  }

  /** So many changes can be announced now, whatever comes; false without memory. `endPreparation` must follow. */
  prepare(changes: number): boolean {
    while (this.#spares.length < changes) {
      const record = this.#messageCache.allocate()
      if (record === NULL) return false
      this.#spares.push(record)
    }
    return true
  }

  endPreparation(): void {
    for (const record of this.#spares.splice(0)) this.freeMessage(record)
  }

  /** The changes from `from` on have not come about. */
  takeBack(from: number): void {
    for (const record of this.changes.splice(from)) {
      this.endChange(this.messages.context(record))
      this.freeMessage(record)
    }
  }

  freeMessage(record: Ptr): void {
    this.#messageCache.free(record)
  }

  /** How many messages of changes there are, whoever has them. */
  get messageCount(): number {
    return this.#messageCache.used
  }

  /** Of the changes from `from` on, those of places come before those of pages that are gone (mremap). */
  tellRemapsFirst(from: number): void {
    const late = this.changes.splice(from)
    const isRemap = (record: Ptr) => this.messages.kind(record) === 'remap'
    this.changes.push(...late.filter(isRemap), ...late.filter((record) => !isRemap(record)))
  }

  /** Until somebody has read of it the space is changing. */
  beginChange(context: Ptr): void {
    this.#set(context, 12, this.#word(context, 12) + 1)
  }

  /** Somebody has read of a change, or nobody will any more. */
  endChange(context: Ptr): void {
    const left = this.#word(context, 12) - 1
    assert(left >= 0, 'a change is ended once')
    this.#set(context, 12, left)
  }

  /** The page that was missed, which is nobody's business from now on. */
  takeMissed(): MissedPage | undefined {
    const { missed } = this
    this.missed = undefined
    return missed
  }

  all(): Ptr[] {
    const contexts: Ptr[] = []
    let context = this.#memory.u32[LIST]! as Ptr
    for (; context !== NULL; context = this.#word(context, 20)) contexts.push(context)
    return contexts
  }

  /** `used`: the contexts that mappings name, with the space of each. */
  check(used: ReadonlyMap<Ptr, Ptr>): void {
    const contexts = this.all()
    for (const [context, space] of used) {
      assert(contexts.includes(context), 'a registered mapping names a context that is there')
      assert(this.space(context) === space, 'a context is of the space that its mappings are in')
    }
    assert(this.#cache.used === contexts.length, 'every context is in the list')
  }

  #word(context: Ptr, offset: number): Ptr {
    return this.#memory.u32[(context + offset) >>> 2]! as Ptr
  }

  #set(context: Ptr, offset: number, value: number): void {
    this.#memory.u32[(context + offset) >>> 2] = value
  }

  #locked(change: () => void): void {
    this.#atomics.lock(LOCK, LockRank.userfaults)
    change()
    this.#atomics.unlock(LOCK, LockRank.userfaults)
  }
}
