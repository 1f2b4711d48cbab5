import { expect, test } from 'vitest'
import { ENOSPC } from '../base/errno.js'
import { PAGE_SIZE } from '../base/numbers.js'
import { Setting, writeSetting } from '../state/settings.js'
import { AddressSpace } from './address-space.js'
import { committedPages, Overcommit } from './overcommit.js'
import { ObjectKind } from './page-object.js'
import { bootMachine } from './testing.js'

const PAGES = 8

/** A machine that promises fewer than `most` pages. */
function bootStrict(most: number) {
  const { mm } = bootMachine()
  writeSetting(mm.memory, Setting.overcommitMemory, Overcommit.never)
  writeSetting(mm.memory, Setting.overcommitKbytes, (most * PAGE_SIZE) / 1024)
  return mm
}

test('pages of a file in memory count as they come, and none comes at the limit', () => {
  const mm = bootStrict(3)
  const object = mm.objects.create(ObjectKind.tmpfs, PAGES * PAGE_SIZE)
  expect(mm.objects.get(object, 0)).toBeGreaterThan(0)
  expect(mm.objects.get(object, 5)).toBeGreaterThan(0)
  expect(mm.objects.get(object, 1)).toBe(-ENOSPC)
  expect(mm.objects.reserve(object, 1)).toBe(-ENOSPC)
  expect(mm.objects.get(object, 5)).toBeGreaterThan(0)
  expect(committedPages(mm.memory)).toBe(2)
  mm.objects.dropRange(object, 5, 6)
  expect(mm.objects.write(object, PAGE_SIZE, new Uint8Array(2 * PAGE_SIZE))).toBe(PAGE_SIZE)
  mm.objects.release(object)
  expect(committedPages(mm.memory)).toBe(0)
  mm.check()
})

test('what was promised as a whole has all of its pages, and secret ones are promised to nobody', () => {
  const mm = bootStrict(3)
  const kinds = [ObjectKind.anonymousShared, ObjectKind.secret] as const
  const [shared, secret] = kinds.map((kind) => mm.objects.create(kind, PAGES * PAGE_SIZE)) as [never, never]
  mm.objects.promise(shared)
  for (let index = 0; index < PAGES; index++) {
    for (const object of [shared, secret]) expect(mm.objects.get(object, index)).toBeGreaterThan(0)
  }
  expect(committedPages(mm.memory)).toBe(PAGES)
  mm.objects.release(shared)
  mm.objects.release(secret)
  expect(committedPages(mm.memory)).toBe(0)
  mm.check()
})

test('the rights and the size of who asks decide', () => {
  const mm = bootStrict(6)
  writeSetting(mm.memory, Setting.adminReserveKbytes, (4 * PAGE_SIZE) / 1024)
  const object = mm.objects.create(ObjectKind.tmpfs, PAGES * PAGE_SIZE)
  const space = new AddressSpace(mm.memory, mm.spaces.create())
  mm.objects.asker = () => space
  space.flags = 0
  expect(mm.objects.get(object, 0)).toBeGreaterThan(0)
  expect(mm.objects.get(object, 1)).toBe(-ENOSPC)
  mm.objects.asker = undefined
  expect(mm.objects.get(object, 1)).toBeGreaterThan(0)
  mm.objects.release(object)
  mm.spaces.release(space.ptr)
  mm.check()
})
