/**
 * Sv48 and Sv57: four and five levels of 512 entries; a root entry covers 512 GiB, or 256 TiB. (RISC-V privileged manual, "Sv48:
 * Page-Based 48-bit Virtual-Memory System", "Sv57".) What an entry is: entries.ts. Byte addresses of Sv57 are no exact
 * JavaScript numbers, page numbers are.
 *
 *     address    63          57 56     48 47     39 38     30 29     21 20     12 11          0
 *                | all bit 56 | VPN[4]  | VPN[3]  | VPN[2]  | VPN[1]  | VPN[0]  |  in the page |
 *                               256 TiB   512 GiB   1 GiB     2 MiB     4 KiB
 */
import { NULL, type Pfn, type Ptr, type Vpn } from '../../base/numbers.js'
import type { KernelLayout, MemoryManagementArch } from '../memory-management-arch.js'
import { ACCESS, PAGE_NUMBER_SHIFT, RAM_PAGE_NUMBER, Riscv64Entries, V } from './entries.js'

const GIB = 2 ** 18
const TIB = 2 ** 28
const MODULES = Object.freeze({ start: (-4 * GIB) as Vpn, pages: 2 * GIB })

/** Documentation/arch/riscv/vm-layout.rst; the last GiB of "vmalloc/ioremap" is kept for ioremap. */
const SV48_LAYOUT: KernelLayout = Object.freeze({
  fixmap: Object.freeze({ start: -0x7_2800_1600 as Vpn, pages: 1536 }),
  pciIo: Object.freeze({ start: -0x7_2800_1000 as Vpn, pages: 4096 }),
  vmalloc: Object.freeze({ start: (-112.5 * TIB) as Vpn, pages: 32 * TIB - GIB }),
  mmio: Object.freeze({ start: (-80.5 * TIB - GIB) as Vpn, pages: GIB }),
  linearMap: Object.freeze({ start: (-80.5 * TIB) as Vpn, pages: 64 * TIB }),
  modules: MODULES,
})
const SV57_LAYOUT: KernelLayout = Object.freeze({
  fixmap: Object.freeze({ start: -0xe40_0000_1600 as Vpn, pages: 1536 }),
  pciIo: Object.freeze({ start: -0xe40_0000_1000 as Vpn, pages: 4096 }),
  vmalloc: Object.freeze({ start: (-56 * 1024 * TIB) as Vpn, pages: 16 * 1024 * TIB - GIB }),
  mmio: Object.freeze({ start: (-40 * 1024 * TIB - GIB) as Vpn, pages: GIB }),
  linearMap: Object.freeze({ start: (-40 * 1024 * TIB) as Vpn, pages: 32 * 1024 * TIB }),
  modules: MODULES,
})

/** Page numbers have more than 32 bits here: no shifts. */
abstract class WideRiscv64 extends Riscv64Entries {
  abstract readonly levels: number

  index(vpn: Vpn, level: number): number {
    return Math.floor(vpn / 2 ** (9 * level)) & 511
  }

  span(level: number): number {
    return 2 ** (9 * level)
  }

  spanStart(vpn: number, level: number): Vpn {
    const span = this.span(level)
    return (Math.floor(vpn / span) * span) as Vpn
  }

  leafEntry(u32: Uint32Array, root: Pfn, vpn: Vpn): Ptr {
    let table: number = root
    for (let level = this.levels - 1; level > 0; level--) {
      const low = u32[(table << 10) | (this.index(vpn, level) << 1)]!
      if ((low & (ACCESS | V)) !== V) return NULL
      table = (low >>> PAGE_NUMBER_SHIFT) - RAM_PAGE_NUMBER
    }
    return (((table << 12) | (this.index(vpn, 0) << 3)) >>> 0) as Ptr
  }
}

export class Riscv64Sv48 extends WideRiscv64 implements MemoryManagementArch {
  readonly id = 2
  readonly name = 'riscv64-sv48'
  readonly levels = 4
  readonly userEnd = (128 * TIB) as Vpn
  readonly kernelStart = (-128 * TIB) as Vpn
  readonly kernelLayout = SV48_LAYOUT

  isCanonical(_low: number, high: number): boolean {
    const repeated = (high | 0) >> 15
    return repeated === 0 || repeated === -1
  }
}

export class Riscv64Sv57 extends WideRiscv64 implements MemoryManagementArch {
  readonly id = 3
  readonly name = 'riscv64-sv57'
  readonly levels = 5
  readonly userEnd = (64 * 1024 * TIB) as Vpn
  readonly kernelStart = (-64 * 1024 * TIB) as Vpn
  readonly kernelLayout = SV57_LAYOUT

  isCanonical(_low: number, high: number): boolean {
    const repeated = (high | 0) >> 24
    return repeated === 0 || repeated === -1
  }
}
