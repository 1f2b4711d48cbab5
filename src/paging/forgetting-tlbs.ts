import type { Pfn, Ptr, Vpn } from '../base/numbers.js'
import type { Forgetting } from './forgetting.js'

/** The part of the TLBs that the shootdown uses. */
export interface ForgettingTlbs {
  readonly hartCount: number
  activeRoot(hart: number): Pfn
  /** Places of the generations that the TLB knows of, of the active space's tables or those of a named bank (ASID), and of the kernel's. */
  seen(hart: number, isKernel: boolean, asid?: number): Ptr
  /** Where the era of those generations stands. */
  era(hart: number, asid?: number): Ptr
  rootOf(hart: number, asid: number): Pfn
  activeAsid(hart: number): number
  giveUpInactive(hart: number, root: Pfn): void
  activate(hart: number, root: Pfn): void
  deactivateRoot(root: Pfn): void
  flushAll(hart: number): void
  flushPage(hart: number, vpn: Vpn): void
  flushRun(hart: number, vpn: Vpn, pages: number): void
}

/** The hart's TLB forgets what was asked for. */
export function forget(tlbs: ForgettingTlbs, hart: number, what: Forgetting): void {
  if (what.isAll) {
    tlbs.flushAll(hart)
    return
  }
  const { starts, lengths, runCount } = what
  for (let i = 0; i < runCount; i++) {
    if (lengths[i] === 1) tlbs.flushPage(hart, starts[i] as Vpn)
    else tlbs.flushRun(hart, starts[i] as Vpn, lengths[i]!)
  }
}
