/** From a trap of the hart to what Linux makes of it: a page, a signal, or the end (arch/riscv/kernel/traps.c, mm/fault.c). */
import { fromHalves, pageOf } from '../base/numbers.js'
import { Access, FaultResult } from '../fault/access.js'
import { handleFault } from '../fault/handle-fault.js'
import { Exit } from '../hart/exit.js'
import type { Hart } from '../hart/hart.js'
import { HartField } from '../hart/hart-state.js'
import type { MemoryManager } from '../mm.js'
import type { Process } from './process.js'
import { Signal, SignalCode } from './signal-numbers.js'
import type { SignalInfo } from './signal-queue.js'

/** What a trap comes to: nothing more to do, a signal to force, `outOfMemory`, or a page that the reader of a userfaultfd(2) is to bring. */
export type TrapOutcome = SignalInfo | 'resolved' | 'outOfMemory' | 'userfault'

const ACCESS_OF_EXIT: ReadonlyMap<Exit, Access> = new Map([
  [Exit.fetchFault, Access.execute],
  [Exit.loadFault, Access.read],
  [Exit.storeFault, Access.write],
])

/** A signal about the instruction itself: its address is the fault's. */
function atInstruction(hart: Hart, signal: number, code: number): SignalInfo {
  return {
    signal,
    code,
    addressLow: hart.low(HartField.pc),
    addressHigh: hart.high(HartField.pc),
  }
}

function atAddress(hart: Hart, signal: number, code: number): SignalInfo {
  return { signal, code, addressLow: hart.tvalLow, addressHigh: hart.tvalHigh }
}

/** A page fault in user mode. */
function pageFault(mm: MemoryManager, process: Process, hart: Hart, access: Access): TrapOutcome {
  const vpn = pageOf(fromHalves(hart.tvalLow, hart.tvalHigh))
  switch (handleFault(mm, process.space, vpn, access)) {
    case FaultResult.ok:
      return 'resolved'
    case FaultResult.segvMapErr:
      return atAddress(hart, Signal.SEGV, SignalCode.segvMapError)
    case FaultResult.segvAccErr:
      return atAddress(hart, Signal.SEGV, SignalCode.segvAccessError)
    case FaultResult.bus:
    case FaultResult.poisoned:
      return atAddress(hart, Signal.BUS, SignalCode.busAddressError)
    case FaultResult.outOfMemory:
      return 'outOfMemory'
    case FaultResult.userfault:
      return 'userfault'
  }
}

/** Handles every exit of a hart but ecall and the end of its budget. */
export function handleTrap(mm: MemoryManager, process: Process, hart: Hart, exit: Exit): TrapOutcome {
  const access = ACCESS_OF_EXIT.get(exit)
  if (access !== undefined) return pageFault(mm, process, hart, access)
  if (exit === Exit.breakpoint) return atInstruction(hart, Signal.TRAP, SignalCode.trapBreakpoint)
  if (exit === Exit.misaligned) return atInstruction(hart, Signal.BUS, SignalCode.busAlignment)
  if (exit === Exit.accessFault) return atInstruction(hart, Signal.SEGV, SignalCode.segvAccessError)
  return atInstruction(hart, Signal.ILL, SignalCode.illegalOpcode)
}
