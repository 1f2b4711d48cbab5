/**
 * Address-space layout randomisation: by how much exec moves the parts of a program's address space (mm/util.c, fs/exec.c and
 * fs/binfmt_elf.c of Linux 6.12, arch/riscv). From the machine's seed, so that the same run has the same addresses.
 */
import type { Random } from '../base/random.js'
import type { Memory } from '../state/memory.js'
import { readSetting, Setting } from '../state/settings.js'
import { Personality } from './personality.js'

/** STACK_RND_MASK: 18 bits of pages, a gigabyte. */
export const STACK_RANDOM_PAGES = 0x3ffff
/** arch_randomize_brk: the heap begins within a gigabyte. */
const HEAP_RANDOM_PAGES = 0x40000
const STACK_RANDOM_BYTES = 4096
/** kernel.randomize_va_space: the heap too. */
const WITH_HEAP = 2

export interface RandomLayout {
  /** PF_RANDOMIZE. */
  readonly isOn: boolean
  /** Pages by which the base of mappings is moved; and a position-independent program that has an interpreter. */
  readonly mapPages: number
  readonly programPages: number
  /** How far the stack's top is below the end of the address range, in pages. */
  readonly stackPages: number
  /** Bytes left free below the strings of the stack. */
  readonly stackBytes: number
  /** Pages between the program and its heap; undefined: the heap is not moved. */
  readonly heapPages: number | undefined
}

const NOT_RANDOM: RandomLayout = {
  isOn: false,
  mapPages: 0,
  programPages: 0,
  stackPages: 0,
  stackBytes: 0,
  heapPages: undefined,
}

/** The layout of a program that is started with this personality, as /proc/sys/kernel/randomize_va_space says. */
export function drawLayout(memory: Memory, random: Random, personality: number): RandomLayout {
  const level = readSetting(memory, Setting.randomizeVaSpace)
  if (level === 0 || (personality & Personality.addrNoRandomize) !== 0) return NOT_RANDOM
  const places = 2 ** readSetting(memory, Setting.mmapRandomBits)
  // arch_align_stack, once for the stack's top and once for what lies below the strings: the top is a page's boundary again.
  const isPageLower = random.below(STACK_RANDOM_BYTES) > STACK_RANDOM_BYTES - 16
  return {
    isOn: true,
    mapPages: random.below(places),
    programPages: random.below(places),
    stackPages: random.below(STACK_RANDOM_PAGES + 1) + (isPageLower ? 1 : 0),
    stackBytes: random.below(STACK_RANDOM_BYTES),
    heapPages: level >= WITH_HEAP ? random.below(HEAP_RANDOM_PAGES) : undefined,
  }
}
