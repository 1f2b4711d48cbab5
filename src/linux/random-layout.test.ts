import { describe, expect, it } from 'vitest'
import { Random } from '../base/random.js'
import { mmInit } from '../mm.js'
import { Setting, writeSetting } from '../state/settings.js'
import { hashMemory } from '../state/snapshot.js'
import { Personality } from './personality.js'
import { drawLayout } from './random-layout.js'
import { call, program } from './testing/elf-image.js'
import { bootGuest, startGuest } from './testing/guest.js'

/** Maps a page and ends. */
const image = program(`${call(222, 0, 0x1000, 3, 0x22, -1, 0)} ${call(93, 0)}`, 0x3000)

function run(seed: number, aslr?: boolean) {
  const guest = bootGuest({
    mm: mmInit({ bytes: 8 * 2 ** 20, seed }),
    ...(aslr === undefined ? {} : { aslr }),
  })
  expect(startGuest(guest, image)).toBeUndefined()
  const { memory } = guest.linux.runSync({ instructions: 1000 })
  return { maps: memory!.maps, hash: hashMemory(guest.mm.memory) }
}

const stackEnd = (maps: string) => /-(\S+) .*\[stack\]/.exec(maps)![1]

describe('the layout of a program', () => {
  it('is another one with another seed, and the same with the same: so is the whole of RAM', () => {
    expect(run(7)).toEqual(run(7))
    expect(run(7).maps).not.toBe(run(8).maps)
  })

  it('is Linux without randomisation when the machine is told so, whatever the seed', () => {
    const { maps } = run(7, false)
    expect(run(8, false).maps).toBe(maps)
    expect(stackEnd(maps)).toBe('4000000000')
  })

  it('is what the settings and the personality say, and costs no random number where they say none', () => {
    const { memory } = mmInit({ bytes: 8 * 2 ** 20 })
    const random = new Random(5)
    const before = random.seed
    const none = { isOn: false, mapPages: 0, stackPages: 0, stackBytes: 0, heapPages: undefined }
    expect(drawLayout(memory, random, Personality.addrNoRandomize)).toMatchObject(none)
    expect(random.seed).toBe(before)
    expect(drawLayout(memory, random, 0)).toMatchObject({ isOn: true, heapPages: expect.any(Number) })
    writeSetting(memory, Setting.randomizeVaSpace, 1)
    expect(drawLayout(memory, random, 0)).toMatchObject({ isOn: true, heapPages: undefined })
    writeSetting(memory, Setting.randomizeVaSpace, 0)
    expect(drawLayout(memory, random, 0)).toMatchObject(none)
  })

  it('has as many bits as mmap_rnd_bits says', () => {
    const { memory } = mmInit({ bytes: 8 * 2 ** 20 })
    const random = new Random(6)
    for (const bits of [18, 24]) {
      writeSetting(memory, Setting.mmapRandomBits, bits)
      const drawn = Array.from({ length: 64 }, () => drawLayout(memory, random, 0))
      expect(drawn.reduce((all, { mapPages }) => all | mapPages, 0)).toBe(2 ** bits - 1)
      expect(drawn.reduce((all, { programPages }) => all | programPages, 0)).toBe(2 ** bits - 1)
    }
  })
})
