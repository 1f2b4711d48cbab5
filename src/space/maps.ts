/** /proc/PID/maps, byte for byte as fs/proc/task_mmu.c of Linux 6.12 writes it. */
import { NULL, PAGE_SIZE } from '../base/numbers.js'
import type { AddressSpace } from './address-space.js'
import type { SpaceEnv } from './space-env.js'
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from './vm-flags.js'
import { Special, Vma } from './vma.js'

/** What a file is called. */
export interface MappedFile {
  /** Major and minor number, at least two hexadecimal digits each: "00:01". */
  readonly device: string
  readonly inode: number
  readonly path: string
}

const NAME_COLUMN = 72
const NO_FILE: MappedFile = { device: '00:00', inode: 0, path: '' }
const SPECIAL_NAMES: Readonly<Record<number, string>> = { [Special.vdso]: '[vdso]', [Special.vvar]: '[vvar]' }

/** One line for each mapping. `describe` is asked about those that have an object. */
export function mapsText(mm: SpaceEnv, space: AddressSpace, describe: (vma: Vma) => MappedFile): string {
  let text = ''
  const vma = new Vma(mm.memory, mm.vmas.first(space))
  while (vma.ptr !== NULL) {
    text += mapsLine(mm, space, vma, describe)
    vma.at(mm.vmas.next(vma.ptr))
  }
  return text
}

/** The line of one mapping, with its newline. Without a name it ends in a blank. */
export function mapsLine(
  mm: SpaceEnv,
  space: AddressSpace,
  vma: Vma,
  describe: (vma: Vma) => MappedFile,
): string {
  const hasObject = vma.object !== NULL && vma.special === Special.none
  const { device, inode, path } = hasObject ? describe(vma) : NO_FILE
  const range = `${pageAddress(vma.start)}-${pageAddress(vma.end)}`
  const offset = hasObject ? pageAddress(vma.pageOffset) : '00000000'
  const line = `${range} ${permissions(vma.flags)} ${offset} ${device} ${inode} `
  const name = mappingName(mm, space, vma, () => path.replaceAll('\n', '\\012'))
  return name === '' ? `${line}\n` : `${line.padEnd(NAME_COLUMN)} ${name}\n`
}

export function pageAddress(page: number): string {
  return (page * PAGE_SIZE).toString(16).padStart(8, '0')
}

function permissions(flags: number): string {
  const read = (flags & VM_READ) !== 0 ? 'r' : '-'
  const write = (flags & VM_WRITE) !== 0 ? 'w' : '-'
  const execute = (flags & VM_EXEC) !== 0 ? 'x' : '-'
  return read + write + execute + ((flags & VM_MAYSHARE) !== 0 ? 's' : 'p')
}

/** What a mapping is called, if anything: its file's path, what its program said of shared memory, or what the kernel says. */
export function mappingName(mm: SpaceEnv, space: AddressSpace, vma: Vma, path: () => string): string {
  if (vma.object === NULL || vma.special !== Special.none) return kernelName(mm, space, vma)
  return vma.name === NULL ? path() : `[anon_shmem:${mm.names.text(vma.name)}]`
}

/** What memory without a file is called: by what it is, by where it lies, or as its program said. */
export function kernelName(mm: SpaceEnv, space: AddressSpace, vma: Vma): string {
  if (vma.special !== Special.none) return SPECIAL_NAMES[vma.special] ?? ''
  const start = vma.start * PAGE_SIZE
  const end = vma.end * PAGE_SIZE
  const { brkStart, brk, stackStart } = space.parts
  if (start < brk && end > brkStart) return '[heap]'
  if (start <= stackStart && end >= stackStart) return '[stack]'
  return vma.name === NULL ? '' : `[anon:${mm.names.text(vma.name)}]`
}
