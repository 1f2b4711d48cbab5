import { execFileSync } from 'node:child_process'
import { expect, test, vi } from 'vitest'
import { bootPatiently, isUnfinished, UNFINISHED } from './hung-boot.js'

/** A boot that ends with these exit codes, one after another. */
function bootsEnding(...codes: readonly number[]) {
  let boots = 0
  const boot = () => execFileSync('sh', ['-c', `echo out; exit ${codes[boots++] ?? 0}`], { encoding: 'utf8' })
  return { boot, count: () => boots }
}

test('a boot that hung is tried once more, and not more often', () => {
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const once = bootsEnding(UNFINISHED)
  expect(bootPatiently('once', once.boot, isUnfinished)).toBe('out\n')
  expect([once.count(), told.mock.calls.length]).toEqual([2, 1])
  expect(told.mock.calls[0]![0]).toContain('HUNG: once')
  const twice = bootsEnding(UNFINISHED, UNFINISHED)
  expect(() => bootPatiently('twice', twice.boot, isUnfinished)).toThrow()
  expect(twice.count()).toBe(2)
  const other = bootsEnding(1)
  expect(() => bootPatiently('other', other.boot, isUnfinished)).toThrow()
  expect([other.count(), told.mock.calls.length]).toEqual([1, 2])
  told.mockRestore()
})
