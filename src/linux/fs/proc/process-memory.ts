/** What /proc/PID shows of a process's memory: maps, smaps, smaps_rollup, auxv, and the bytes themselves (mem). */
import { EntryFlag } from '../../../arch/memory-management-arch.js'
import { EIO } from '../../../base/errno.js'
import { NULL, PAGE_SIZE } from '../../../base/numbers.js'
import { copyFromUserPartial, copyToUserPartial } from '../../../fault/user-copy.js'
import { FrameFlag } from '../../../frame/frame-table.js'
import type { MemoryManager } from '../../../mm.js'
import { UserMapper } from '../../../paging/user-mapper.js'
import type { AddressSpace } from '../../../space/address-space.js'
import { mapsLine } from '../../../space/maps.js'
import {
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from '../../../space/vm-flags.js'
import { Vma } from '../../../space/vma.js'
import { LockRank } from '../../../state/atomics.js'
import type { Process } from '../../process.js'
import { byteString } from '../text.js'
import type { Vfs } from '../vfs.js'

const KIB = PAGE_SIZE / 1024
const WORD = 8
/** Words above the stack pointer that are looked through for the auxiliary vector. */
const STACK_WORDS_MAX = 65536

/** Pages of a mapping, by what smaps tells apart. */
interface Counts {
  resident: number
  /** Parts of pages, each divided by how many map it. */
  share: number
  shareDirty: number
  shareAnonymous: number
  sharedClean: number
  sharedDirty: number
  privateClean: number
  privateDirty: number
  anonymous: number
}

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [VM_READ, 'rd'],
  [VM_WRITE, 'wr'],
  [VM_EXEC, 'ex'],
  [VM_SHARED, 'sh'],
  [VM_MAYREAD, 'mr'],
  [VM_MAYWRITE, 'mw'],
  [VM_MAYEXEC, 'me'],
  [VM_MAYSHARE, 'ms'],
  [VM_GROWSDOWN, 'gd'],
  [VM_LOCKED, 'lo'],
]

/** Runs for every mapping, with the space's lock held. */
function eachMapping({ mm }: Vfs['env'], space: AddressSpace, visit: (vma: Vma) => void): void {
  if (space.ptr === NULL) return
  mm.atomics.lock(space.lock, LockRank.space)
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  for (; vma.ptr !== NULL; vma.at(mm.vmas.next(vma.ptr))) visit(vma)
  mm.atomics.unlock(space.lock, LockRank.space)
}

function lineOf(vfs: Vfs, space: AddressSpace, vma: Vma): string {
  return mapsLine(vfs.env.mm, space, vma, ({ object }) => vfs.names.of(object))
}

export function maps({ space }: Process, vfs: Vfs): string {
  let text = ''
  eachMapping(vfs.env, space, (vma) => {
    text += lineOf(vfs, space, vma)
  })
  return text
}

export function smaps({ space }: Process, vfs: Vfs): string {
  let text = ''
  eachMapping(vfs.env, space, (vma) => {
    const pages = vma.end - vma.start
    const counts = count(vfs.env.mm, space, vma)
    const sizes = row('Size', pages) + row('KernelPageSize', 1) + row('MMUPageSize', 1)
    const locked = (vma.flags & VM_LOCKED) !== 0 ? counts.share : 0
    const flags = FLAG_NAMES.filter(([bit]) => (vma.flags & bit) !== 0).map(([, name]) => `${name} `)
    text += `${lineOf(vfs, space, vma)}${sizes}${countRows(counts, locked, false)}`
    text += `THPeligible:           0\nVmFlags: ${flags.join('')}\n`
  })
  return text
}

/** The sum of all mappings under one heading. */
export function smapsRollup({ space }: Process, vfs: Vfs): string {
  const sum = noPages()
  let [first, last] = [-1, 0]
  eachMapping(vfs.env, space, (vma) => {
    const counts = count(vfs.env.mm, space, vma)
    for (const key of Object.keys(sum) as (keyof Counts)[]) sum[key] += counts[key]
    if (first < 0) first = vma.start
    last = vma.end
  })
  if (first < 0) return ''
  const address = (page: number) => (page * PAGE_SIZE).toString(16).padStart(8, '0')
  const heading = `${address(first)}-${address(last)} ---p 00000000 00:00 0`.padEnd(73)
  return `${heading}[rollup]\n${countRows(sum, 0, true)}`
}

function noPages(): Counts {
  const nothing = { resident: 0, share: 0, shareDirty: 0, shareAnonymous: 0, anonymous: 0 }
  return { ...nothing, sharedClean: 0, sharedDirty: 0, privateClean: 0, privateDirty: 0 }
}

function count(mm: MemoryManager, space: AddressSpace, vma: Vma): Counts {
  const counts = noPages()
  const mapper = new UserMapper(mm, space.root)
  mapper.walk(vma.start, vma.end, (_vpn, entry) => {
    const flags = mapper.flags(entry)
    if ((flags & EntryFlag.special) !== 0) return
    const pfn = mapper.pfn(entry)
    const frame = mm.frames.flags(pfn)
    const isFile = (frame & FrameFlag.file) !== 0
    const isDirty = !isFile || (flags & EntryFlag.dirty) !== 0 || (frame & FrameFlag.dirtyPage) !== 0
    addPage(counts, isFile, isDirty, Math.max(1, mm.frames.refCount(pfn) - (isFile ? 1 : 0)))
  })
  return counts
}

function addPage(counts: Counts, isFile: boolean, isDirty: boolean, users: number): void {
  counts.resident++
  counts.share += 1 / users
  if (isDirty) counts.shareDirty += 1 / users
  if (!isFile) {
    counts.anonymous++
    counts.shareAnonymous += 1 / users
  }
  if (users > 1) counts[isDirty ? 'sharedDirty' : 'sharedClean']++
  else counts[isDirty ? 'privateDirty' : 'privateClean']++
}

function row(name: string, pages: number): string {
  return `${`${name}:`.padEnd(16)}${`${Math.floor(pages * KIB)}`.padStart(8)} kB\n`
}

function countRows(counts: Counts, locked: number, isRollup: boolean): string {
  const parts = [
    row('Pss_Anon', counts.shareAnonymous),
    row('Pss_File', counts.share - counts.shareAnonymous),
  ]
  const zeroes = ['KSM', 'LazyFree', 'AnonHugePages', 'ShmemPmdMapped', 'FilePmdMapped', 'Shared_Hugetlb']
  return (
    `${row('Rss', counts.resident)}${row('Pss', counts.share)}${row('Pss_Dirty', counts.shareDirty)}` +
    `${isRollup ? `${parts.join('')}${row('Pss_Shmem', 0)}` : ''}` +
    `${row('Shared_Clean', counts.sharedClean)}${row('Shared_Dirty', counts.sharedDirty)}` +
    `${row('Private_Clean', counts.privateClean)}${row('Private_Dirty', counts.privateDirty)}` +
    `${row('Referenced', counts.resident)}${row('Anonymous', counts.anonymous)}` +
    [...zeroes, 'Private_Hugetlb', 'Swap', 'SwapPss'].map((name) => row(name, 0)).join('') +
    row('Locked', locked)
  )
}

/** The vector as the program was given it: behind arguments and environment on its stack. */
export function auxiliaryVectorText({ space }: Process, vfs: Vfs): string {
  const { mm } = vfs.env
  if (space.ptr === NULL) return ''
  const word = new Uint8Array(WORD)
  const zeroAt = (index: number) => {
    if (copyFromUserPartial(mm, space, space.stackStart + index * WORD, word) < WORD) return undefined
    return word.every((byte) => byte === 0)
  }
  let at = 1
  for (let ends = 0; ends < 2; at++) {
    const zero = zeroAt(at)
    if (zero === undefined || at > STACK_WORDS_MAX) return ''
    if (zero) ends++
  }
  const start = at
  while (zeroAt(at) === false && at < start + 128) at += 2
  const bytes = new Uint8Array((at + 2 - start) * WORD)
  const got = copyFromUserPartial(mm, space, space.stackStart + start * WORD, bytes)
  return byteString(bytes.subarray(0, got))
}

/** /proc/PID/mem: bytes of the process, -EIO where there are none. */
export function readMemory(vfs: Vfs, { space }: Process, address: number, target: Uint8Array): number {
  if (space.ptr === NULL || target.length === 0) return 0
  return copyFromUserPartial(vfs.env.mm, space, address, target) || -EIO
}

export function writeMemory(vfs: Vfs, { space }: Process, address: number, source: Uint8Array): number {
  if (space.ptr === NULL || source.length === 0) return 0
  return copyToUserPartial(vfs.env.mm, space, address, source) || -EIO
}
