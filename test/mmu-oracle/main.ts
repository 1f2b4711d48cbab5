/** `npm run oracle:mmu`: page tables of Pagoda's before QEMU's MMU, as many as one likes. */
import { parseArgs } from 'node:util'
import { findOracle } from '../setup/oracles.js'
import type { Comparison } from './comparison.js'
import { compareMappings, compareRawTables, MODES } from './modes.js'

const HELP = `usage: npm run oracle:mmu -- [options]

Loads, stores, fetches and atomic swaps through page tables of Pagoda's, by QEMU's MMU: Sv39, Sv48 and Sv57, tables that the
mapper made and tables of random bits. Compared are outcome, physical address, fault, and all entries afterwards.

  --mappings N   (default 10000)
  --accesses N   through each kind of tables (default 100000)
  --seed S       of the first round (default: chosen and printed)
  --rounds N     each with the next seed (default 1)
  --help         this text

Exit code 1 when something differs, 2 when an option is wrong or QEMU is not installed.`

const { values } = parseArgs({
  options: {
    mappings: { type: 'string', default: '10000' },
    accesses: { type: 'string', default: '100000' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 31}` },
    rounds: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

function refuse(message: string): never {
  console.error(`oracle:mmu: ${message}`)
  process.exit(2)
}

function whole(name: 'mappings' | 'accesses' | 'seed' | 'rounds'): number {
  const value = Number(values[name])
  return Number.isInteger(value) && value >= 0 ? value : refuse(`--${name} takes a whole number`)
}

function report(what: string, found: Comparison): void {
  const { accesses, succeeded, tables, differences } = found
  console.log(
    `${what}: ${accesses} accesses (${succeeded} went through), ${tables} tables, ${differences.length} differences`,
  )
  for (const difference of differences.slice(0, 10)) console.log(`  ${difference}`)
  if (differences.length > 0) process.exitCode = 1
}

if (values.help) {
  console.log(HELP)
} else {
  const qemu = findOracle('qemuSystem') ?? refuse('qemu-system-riscv64 is not installed: npm run test:setup')
  const size = { mappings: whole('mappings'), accesses: whole('accesses') }
  for (let round = 0; round < whole('rounds'); round++) {
    const seed = whole('seed') + round
    console.log(`seed ${seed}`)
    for (const arch of MODES) {
      const mapped = compareMappings(qemu, arch, { ...size, seed })
      report(`${arch.name}, ${size.mappings} mappings (${mapped.sizes.join(', ')} by size)`, mapped)
      report(`${arch.name}, random bits`, compareRawTables(qemu, arch, { ...size, seed }))
    }
  }
}
