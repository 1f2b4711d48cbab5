import { assert } from '../base/assert.js'
import { FakeArch } from './fake-arch.js'
import type { MemoryManagementArch } from './memory-management-arch.js'
import { Riscv64Sv39 } from './riscv64/sv39.js'
import { Riscv64Sv48, Riscv64Sv57 } from './riscv64/sv48-sv57.js'

/** The architecture that a buffer's header names; asserts that there is one of that id. */
export function archById(id: number): MemoryManagementArch {
  const arch = [new Riscv64Sv39(), new Riscv64Sv48(), new Riscv64Sv57(), new FakeArch()].find(
    (known) => known.id === id,
  )
  assert(arch !== undefined, 'no architecture has this id')
  return arch
}
