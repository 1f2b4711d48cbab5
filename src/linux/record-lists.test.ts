import { describe, expect, test } from 'vitest'
import type { Ptr } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { SEED } from '../base/testing.js'
import { Memory } from '../state/memory.js'
import { RecordLists } from './record-lists.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 3000)
const HEADS = [64, 72, 80] as Ptr[]
const RECORDS = Array.from({ length: 12 }, (_, i) => (1024 + i * 32) as Ptr)

describe('lists of records', () => {
  test(`hold what arrays would (seed ${SEED})`, () => {
    const random = new Random(SEED)
    const lists = new RecordLists(Memory.allocate(8 * 2 ** 20, false), 16)
    const model = HEADS.map((): Ptr[] => [])
    for (let step = 0; step < STEPS; step++) {
      const record = random.pick(RECORDS)
      const at = model.findIndex((list) => list.includes(record))
      if (at >= 0) {
        lists.remove(HEADS[at]!, record)
        model[at]!.splice(model[at]!.indexOf(record), 1)
      } else {
        const list = random.below(HEADS.length)
        const place = random.below(model[list]!.length + 1)
        lists.insertBefore(HEADS[list]!, record, model[list]![place] ?? (0 as Ptr))
        model[list]!.splice(place, 0, record)
      }
      HEADS.forEach((head, i) => {
        expect([...lists.of(head)], `seed ${SEED} step ${step}`).toEqual(model[i])
        expect(lists.last(head)).toBe(model[i]!.at(-1) ?? 0)
      })
    }
  })

  test('let the record that was just given leave', () => {
    const lists = new RecordLists(Memory.allocate(8 * 2 ** 20, false), 0)
    const head = HEADS[0]!
    for (const record of RECORDS) lists.append(head, record)
    for (const record of lists.of(head)) if (record % 64 === 0) lists.remove(head, record)
    expect([...lists.of(head)]).toEqual(RECORDS.filter((record) => record % 64 !== 0))
  })
})
