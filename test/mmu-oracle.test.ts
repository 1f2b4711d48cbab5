/** Page tables as QEMU's MMU takes them: a small version of `npm run oracle:mmu`. */
import { describe, expect, test } from 'vitest'
import { SEED } from '../src/base/testing.js'
import { compareMappings, compareRawTables, MODES } from './mmu-oracle/modes.js'
import { findOracle } from './setup/oracles.js'

const qemu = findOracle('qemuSystem')
const SIZE = process.env.PAGODA_FULL
  ? { mappings: 10_000, accesses: 100_000 }
  : { mappings: 500, accesses: 6000 }

describe.skipIf(qemu === undefined).each(MODES)('$name', (arch) => {
  test(`what the mapper makes (seed ${SEED})`, () => {
    const found = compareMappings(qemu!, arch, { ...SIZE, seed: SEED })
    expect(found.differences.slice(0, 10)).toEqual([])
    expect(found.accesses).toBe(SIZE.accesses)
    expect(found.succeeded).toBeGreaterThan(SIZE.accesses / 10)
  })

  test(`random bits (seed ${SEED})`, () => {
    const found = compareRawTables(qemu!, arch, { accesses: SIZE.accesses, seed: SEED })
    expect(found.differences.slice(0, 10)).toEqual([])
    expect(found.accesses).toBe(SIZE.accesses)
    expect(found.succeeded).toBeGreaterThan(SIZE.accesses / 50)
  })
})

test.skipIf(qemu === undefined)('a table that is damaged on the way is found', () => {
  const damage = (tables: Map<number, BigUint64Array>) => {
    for (const table of tables.values())
      table.forEach((entry, i) => {
        // W of every leaf in four that may be written: stores are refused that Pagoda allows.
        if (i % 4 === 0 && (entry & 5n) === 5n) table[i] = entry & ~4n
      })
  }
  const found = compareMappings(qemu!, MODES[0]!, { mappings: 500, accesses: 3000, seed: SEED }, damage)
  expect(found.differences.length).toBeGreaterThan(0)
})
