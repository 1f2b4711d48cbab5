import type { MemoryManagementArch } from '../../src/arch/memory-management-arch.js'
import { Riscv64Sv39 } from '../../src/arch/riscv64/sv39.js'
import { Riscv64Sv48, Riscv64Sv57 } from '../../src/arch/riscv64/sv48-sv57.js'
import { Random } from '../../src/base/random.js'
import { type Comparison, Questions } from './comparison.js'
import { MappedTables } from './mapped-tables.js'
import { RawTables } from './raw-tables.js'

export const MODES: readonly MemoryManagementArch[] = [
  new Riscv64Sv39(),
  new Riscv64Sv48(),
  new Riscv64Sv57(),
]

export interface Size {
  readonly mappings: number
  readonly accesses: number
  readonly seed: number
}

type Damage = Parameters<Questions['compare']>[1]

/** Random mappings, by the mapper. */
export function compareMappings(
  qemu: string,
  arch: MemoryManagementArch,
  size: Size,
  damage?: Damage,
): Comparison & { sizes: number[] } {
  const tables = new MappedTables(arch, new Random(size.seed), size.mappings)
  const questions = new Questions(tables.tables)
  tables.ask(questions, size.accesses)
  return { ...questions.compare(qemu, damage), sizes: tables.sizes }
}

/** Random bits. */
export function compareRawTables(
  qemu: string,
  arch: MemoryManagementArch,
  size: Omit<Size, 'mappings'>,
): Comparison {
  const tables = new RawTables(arch, new Random(size.seed))
  const questions = new Questions(tables.tables)
  tables.ask(questions, size.accesses)
  return questions.compare(qemu)
}
