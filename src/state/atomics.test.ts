import { describe, expect, test } from 'vitest'
import type { Ptr } from '../base/numbers.js'
import { AtomicWords, LockRank } from './atomics.js'
import { Memory } from './memory.js'

const LOCK = 512 as Ptr
const OTHER = 516 as Ptr
const WORD = 520 as Ptr

describe.each([
  ['plain', false],
  ['shared', true],
])('on a %s memory', (_, shared) => {
  const boot = (options: object = {}) =>
    new AtomicWords(Memory.allocate(8 * 2 ** 20, shared), { owner: 3, ...options })

  test('words are loaded, stored, added to and exchanged', () => {
    const words = boot()
    words.store(WORD, 5)
    expect(words.add(WORD, -7)).toBe(5)
    expect(words.load(WORD)).toBe(-2)
    expect(words.compareExchange(WORD, 5, 9)).toBe(-2)
    expect(words.compareExchange(WORD, -2, 9)).toBe(-2)
    expect(words.load(WORD)).toBe(9)
    expect(words.exchange(WORD, 11)).toBe(9)
    expect(words.load(WORD)).toBe(11)
  })

  test('a held lock says who has it, and only that one gives it back', () => {
    const words = boot()
    words.lock(LOCK, LockRank.space)
    expect(words.load(LOCK)).toBe(3)
    words.unlock(LOCK, LockRank.space)
    expect(words.load(LOCK)).toBe(0)
    expect(() => words.unlock(LOCK, LockRank.space)).toThrow('the lock is not ours')
  })

  test('a debug scheduler is asked before every step', () => {
    const steps: string[] = []
    const words = boot({ onStep: (operation: string, ptr: Ptr) => steps.push(`${operation} ${ptr}`) })
    words.lock(LOCK, LockRank.space)
    words.store(WORD, 1)
    words.load(WORD)
    words.add(WORD, 1)
    words.compareExchange(WORD, 2, 3)
    expect(words.exchange(OTHER, 3)).toBe(0)
    words.unlock(LOCK, LockRank.space)
    expect(steps.join(', ')).toBe(
      'lock 512, store 520, load 520, add 520, exchange 520, exchange 516, unlock 512',
    )
  })

  test('with debug, locks are taken in rising and released in falling rank', () => {
    const words = boot({ debug: true })
    words.lock(LOCK, LockRank.space)
    expect(() => words.lock(OTHER, LockRank.space)).toThrow('rising rank')
    words.lock(OTHER, LockRank.frames)
    expect(words.holdsNone).toBe(false)
    expect(() => words.unlock(LOCK, LockRank.space)).toThrow('falling rank')
  })

  test('with debug, a lock that was taken without waiting may be of any rank, and go back at any time', () => {
    const words = boot({ debug: true })
    words.lock(LOCK, LockRank.space)
    expect(words.tryLock(OTHER, LockRank.writeBack)).toBe(true)
    expect(() => words.lock(WORD, LockRank.writeBack)).toThrow('rising rank')
    words.unlock(OTHER, LockRank.writeBack)
    expect(words.tryLock(OTHER, LockRank.object)).toBe(true)
    words.unlock(LOCK, LockRank.space)
    words.unlock(OTHER, LockRank.object)
    expect(words.holdsNone).toBe(true)
  })
})

test('who waits for a lock serves its mailbox meanwhile', () => {
  const memory = Memory.allocate(8 * 2 ** 20, true)
  const holder = new AtomicWords(memory, { owner: 1 })
  let spins = 0
  const onSpin = () => {
    if (++spins === 3) holder.unlock(LOCK, LockRank.space)
  }
  const waiter = new AtomicWords(memory, { owner: 2, onSpin })
  holder.lock(LOCK, LockRank.space)
  waiter.lock(LOCK, LockRank.space)
  expect([spins, waiter.load(LOCK)]).toEqual([3, 2])
})
