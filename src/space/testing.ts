/** For tests: a small machine whose allocations can be made to fail. */
import { FaultInjector } from '../frame/fault-injector.js'
import { type MemoryManager, mmInit } from '../mm.js'

export interface TestMachine {
  readonly mm: MemoryManager
  readonly faults: FaultInjector
}

export function bootMachine(mebibytes = 8): TestMachine {
  const faults = new FaultInjector()
  return { mm: mmInit({ bytes: mebibytes * 2 ** 20, debug: true, faults }), faults }
}
