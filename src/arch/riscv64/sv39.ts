/**
 * Sv39: three levels of 512 entries, 39-bit addresses, of which bit 38 is repeated up to bit 63.
 * (RISC-V privileged manual, "Sv39: Page-Based 39-bit Virtual-Memory System".) What an entry is: entries.ts.
 *
 *     address    63          39 38       30 29       21 20       12 11          0
 *                | all bit 38 |  VPN[2]   |  VPN[1]   |  VPN[0]   |  in the page |
 *                               1 GiB       2 MiB       4 KiB
 */
import { NULL, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import type { KernelLayout, MemoryManagementArch } from '../memory-management-arch.js'
import { ACCESS, PAGE_NUMBER_SHIFT, RAM_PAGE_NUMBER, Riscv64Entries, V } from './entries.js'

const GIB = 2 ** 18

/** Documentation/arch/riscv/vm-layout.rst, Sv39; the last GiB of "vmalloc/ioremap" is kept for ioremap. */
const LAYOUT: KernelLayout = Object.freeze({
  fixmap: Object.freeze({ start: -0x3b01600 as Vpn, pages: 1536 }),
  pciIo: Object.freeze({ start: -0x3b01000 as Vpn, pages: 4096 }),
  vmalloc: Object.freeze({ start: (-232 * GIB) as Vpn, pages: 63 * GIB }),
  mmio: Object.freeze({ start: (-169 * GIB) as Vpn, pages: GIB }),
  linearMap: Object.freeze({ start: (-168 * GIB) as Vpn, pages: 128 * GIB }),
  modules: Object.freeze({ start: (-4 * GIB) as Vpn, pages: 2 * GIB }),
})

export class Riscv64Sv39 extends Riscv64Entries implements MemoryManagementArch {
  readonly id = 1
  readonly name = 'riscv64-sv39'
  readonly levels = 3
  /** TASK_SIZE 0x40_0000_0000. */
  readonly userEnd = (256 * GIB) as Vpn
  readonly kernelStart = (-256 * GIB) as Vpn
  readonly kernelLayout = LAYOUT

  index(vpn: Vpn, level: number): number {
    return (vpn >> (9 * level)) & 511
  }

  span(level: number): number {
    return 1 << (9 * level)
  }

  /** Page numbers of both halves have less than 32 bits. */
  spanStart(vpn: number, level: number): Vpn {
    return ((vpn >> (9 * level)) << (9 * level)) as Vpn
  }

  leafEntry(u32: Uint32Array, root: Pfn, vpn: Vpn): Ptr {
    const top = u32[(root << 10) | (((vpn >> 18) & 511) << 1)]!
    if ((top & (ACCESS | V)) !== V) return NULL
    const table = (top >>> PAGE_NUMBER_SHIFT) - RAM_PAGE_NUMBER
    const middle = u32[(table << 10) | (((vpn >> 9) & 511) << 1)]!
    if ((middle & (ACCESS | V)) !== V) return NULL
    return (((((middle >>> PAGE_NUMBER_SHIFT) - RAM_PAGE_NUMBER) << 12) | ((vpn & 511) << 3)) >>> 0) as Ptr
  }

  isCanonical(_low: number, high: number): boolean {
    const repeated = (high | 0) >> 6
    return repeated === 0 || repeated === -1
  }
}
