/** What root may tune about address spaces, in the units that they are asked in. */
import { PAGE_SIZE } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'
import {
  readIntSetting,
  readPagesSetting,
  readSetting,
  readUnsignedSetting,
  Setting,
} from '../state/settings.js'
import { type AddressSpace, SpaceFlag } from './address-space.js'
import type { SpaceEnv } from './space-env.js'

/** CONFIG_LSM_MMAP_MIN_ADDR of Debian's riscv64 kernel, in pages: below it nothing is placed, whatever the setting says. */
const SECURITY_MIN_PAGE = 8

/** vm.max_map_count: mappings that one address space may have. */
export function mapCountMax({ memory }: { readonly memory: Memory }): number {
  return readIntSetting(memory, Setting.maxMapCount)
}

/**
 * Has allocations stop at the watermarks that vm.min_free_kbytes and watermark_scale_factor make; before, they take the last frame. To be
 * called at the boot of a kernel that reclaims, and when one of them was changed.
 */
export function applyWatermarks({ memory, buddy }: SpaceEnv): void {
  const minimum = readSetting(memory, Setting.minimumFreeKbytes)
  buddy.zones.setWatermarks(minimum, readSetting(memory, Setting.watermarkScale))
}

/** mmap_min_addr: the lowest page given to a mapping that did not ask for one lower. */
export function lowestPlacedPage({ memory }: { readonly memory: Memory }): number {
  const page = readPagesSetting(memory, Setting.mmapMinAddr)
  return page > SECURITY_MIN_PAGE ? page : SECURITY_MIN_PAGE
}

/** Whether a process may have something mapped at a page at all (cap_mmap_addr). */
export function mayMapAt(
  { memory }: { readonly memory: Memory },
  space: AddressSpace,
  page: number,
): boolean {
  const isLow = page * PAGE_SIZE < readUnsignedSetting(memory, Setting.mmapMinAddr)
  return !isLow || (space.flags & SpaceFlag.rawAccess) !== 0
}
