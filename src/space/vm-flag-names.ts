/** The two letters that /proc/PID/smaps has for each VM flag, in the order of Linux's bits (show_smap_vma_flags). */
import * as vm from './vm-flags.js'

const NAMES: readonly (readonly [flag: number, name: string])[] = [
  [vm.VM_READ, 'rd'],
  [vm.VM_WRITE, 'wr'],
  [vm.VM_EXEC, 'ex'],
  [vm.VM_SHARED, 'sh'],
  [vm.VM_MAYREAD, 'mr'],
  [vm.VM_MAYWRITE, 'mw'],
  [vm.VM_MAYEXEC, 'me'],
  [vm.VM_MAYSHARE, 'ms'],
  [vm.VM_GROWSDOWN, 'gd'],
  [vm.VM_UFFD_MISSING, 'um'],
  [vm.VM_PFNMAP, 'pf'],
  [vm.VM_LOCKED, 'lo'],
  [vm.VM_IO, 'io'],
  [vm.VM_SEQ_READ, 'sr'],
  [vm.VM_RAND_READ, 'rr'],
  [vm.VM_DONTCOPY, 'dc'],
  [vm.VM_DONTEXPAND, 'de'],
  [vm.VM_LOCKONFAULT, 'lf'],
  [vm.VM_ACCOUNT, 'ac'],
  [vm.VM_NORESERVE, 'nr'],
  [vm.VM_HUGETLB, 'ht'],
  [vm.VM_SYNC, 'sf'],
  [vm.VM_WIPEONFORK, 'wf'],
  [vm.VM_DONTDUMP, 'dd'],
  [vm.VM_MIXEDMAP, 'mm'],
  [vm.VM_HUGEPAGE, 'hg'],
  [vm.VM_NOHUGEPAGE, 'nh'],
  [vm.VM_MERGEABLE, 'mg'],
  // Above bit 31 in Linux.
  [vm.VM_DROPPABLE, 'dp'],
  [vm.VM_UFFD_MINOR, 'ui'],
  [vm.VM_SEALED, 'sl'],
]

/** Each name with a blank behind it. */
export function flagNames(flags: number): string {
  let text = ''
  for (const [flag, name] of NAMES) if ((flags & flag) !== 0) text += `${name} `
  return text
}
