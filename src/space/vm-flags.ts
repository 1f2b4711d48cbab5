/** Flags of a VMA, with the values of Linux 6.12 (include/linux/mm.h), so that dumps compare. */
export const VM_READ = 0x1
export const VM_WRITE = 0x2
export const VM_EXEC = 0x4
export const VM_SHARED = 0x8
/** What mprotect may grant; each is four bits above the right itself. */
export const VM_MAYREAD = 0x10
export const VM_MAYWRITE = 0x20
export const VM_MAYEXEC = 0x40
export const VM_MAYSHARE = 0x80
export const VM_GROWSDOWN = 0x100
/** userfaultfd(2) is asked for pages that are missing; and for those of shared memory that are there but not mapped (bit 41 in Linux). */
export const VM_UFFD_MISSING = 0x200
export const VM_UFFD_MINOR = 0x1000
export const VM_PFNMAP = 0x400
/** mseal: it stays as and where it is. Bit 63 in Linux. */
export const VM_SEALED = 0x800
export const VM_LOCKED = 0x2000
export const VM_IO = 0x4000
export const VM_SEQ_READ = 0x8000
export const VM_RAND_READ = 0x1_0000
export const VM_DONTCOPY = 0x2_0000
export const VM_DONTEXPAND = 0x4_0000
export const VM_LOCKONFAULT = 0x8_0000
/** Its pages count against the overcommit limit. */
export const VM_ACCOUNT = 0x10_0000
export const VM_NORESERVE = 0x20_0000
export const VM_SYNC = 0x80_0000
/** MAP_DROPPABLE. Bit 38 in Linux. */
export const VM_DROPPABLE = 0x100_0000
export const VM_WIPEONFORK = 0x200_0000
export const VM_DONTDUMP = 0x400_0000
/** Of huge pages of a pool. 0x40_0000 in Linux. */
export const VM_HUGETLB = 0x800_0000
export const VM_MIXEDMAP = 0x1000_0000
export const VM_HUGEPAGE = 0x2000_0000
export const VM_NOHUGEPAGE = 0x4000_0000
/** 0x8000_0000 in Linux, which is a sign here. */
export const VM_MERGEABLE = 0x40_0000

/** Read, write and execute: what PROT_READ, PROT_WRITE and PROT_EXEC are, bit for bit. */
export const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC
/** Mappings that are never merged. */
export const VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP
export const VM_UFFD_FLAGS = VM_UFFD_MISSING | VM_UFFD_MINOR
export const VM_LOCKED_MASK = VM_LOCKED | VM_LOCKONFAULT
/** What mprotect may grant a mapping that nothing restricts. */
export const VM_MAY_ACCESS = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC
/** What brk maps (VM_DATA_DEFAULT_FLAGS of riscv64). */
export const VM_DATA_FLAGS = VM_READ | VM_WRITE | VM_MAY_ACCESS
/** What exec gives the initial stack (VM_STACK_FLAGS of riscv64). */
export const VM_STACK_FLAGS = VM_GROWSDOWN | VM_DATA_FLAGS | VM_ACCOUNT

/** Pages kept free below a mapping that grows down (stack_guard_gap). */
export const STACK_GUARD_PAGES = 256
/** Pages of a 2 MiB leaf: anonymous mappings of a multiple of it are placed on a multiple of it. */
export const HUGE_PAGES = 512
/** RLIM_INFINITY. */
export const NO_LIMIT = Number.POSITIVE_INFINITY

/** A private mapping whose pages may be written some day: its frames are copied on write. */
export function isCopyOnWrite(flags: number): boolean {
  return (flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE
}
