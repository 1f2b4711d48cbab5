/** `pagoda boot`: what it prints, and maps that it refuses. */
import { describe, expect, test } from 'vitest'
import { runPagoda } from '../setup/command.js'

const STEPS = [
  'memory map',
  'bump allocator',
  'frame table',
  'TLBs',
  'buddy allocator',
  'slab allocator',
  'kernel mapper',
  'done',
]

async function bootJson(...args: string[]) {
  const { status, stdout, stderr } = await runPagoda(['boot', '--json', ...args])
  expect([status, stderr]).toEqual([0, ''])
  const { steps, frames } = JSON.parse(stdout.toString())
  expect(steps.map(({ name }: { name: string }) => name)).toEqual(STEPS)
  const factsOf = (name: string) => steps[STEPS.indexOf(name)].facts
  return { factsOf, frames }
}

describe('pagoda boot', () => {
  test.concurrent('says in a line that the machine is there, and with --verbose how it came about', async () => {
    const quiet = await runPagoda(['boot', '--memory', '16M'])
    expect([quiet.status, quiet.stderr]).toEqual([0, ''])
    expect(quiet.stdout.toString()).toMatch(/^pagoda: booted: 1\d\.\d MiB of 16\.0 MiB are free, [^\n]+\n$/)
    const { stdout } = await runPagoda(['boot', '--memory', '16M', '--verbose'])
    const titles = stdout.toString().match(/^[a-zT].*$/gm)
    expect(titles?.slice(0, -1)).toEqual(STEPS)
    expect(stdout.toString()).toMatch(/^ {2}root +0x[0-9a-f]+-0x[0-9a-f]+$/m)
  })

  test.concurrent('holes, reserved and unmapped ranges, and a lower zone are as they were asked for', async () => {
    const ranges = [
      '--usable',
      '0:16M',
      '--usable',
      '24M:8M',
      '--reserve',
      '1M:64K',
      '--unmapped',
      '0x200000:2M',
    ]
    const { factsOf, frames } = await bootJson('--memory', '40M', ...ranges, '--low', '8M', '--harts', '2')
    expect(factsOf('memory map')).toEqual({
      'RAM begins at': '0x80000000',
      '0x0-0x1000': 'reserved',
      '0x1000-0x100000': 'usable',
      '0x100000-0x110000': 'reserved',
      '0x110000-0x200000': 'usable',
      '0x200000-0x400000': 'noMap',
      '0x400000-0x1000000': 'usable',
      '0x1000000-0x1800000': 'hole',
      '0x1800000-0x2000000': 'usable',
      '0x2000000-0x2800000': 'hole',
      'usable frames': 4096 + 2048 - 1 - 16 - 512,
    })
    expect(factsOf('buddy allocator')).toMatchObject({
      'zone 0': '0x0-0x800000',
      'zone 1': '0x800000-0x2800000',
    })
    expect(factsOf('TLBs')).toMatchObject({ harts: 2 })
    expect(frames.cached).toHaveLength(2)
    expect(frames.total + frames.reserved).toBe(4096 + 2048)
    expect(factsOf('done')['free frames']).toBe(frames.free)
  })

  test.concurrent.each(['sv39', 'sv48', 'sv57'])('boots with %s', async (mode) => {
    const { factsOf } = await bootJson('--memory', '16M', '--paging', mode)
    expect(factsOf('kernel mapper').paging).toBe(`riscv64-${mode}`)
  })

  test.concurrent.each([
    ['--reserve 1M:64K --reserve 1M:4K', '0x100000-0x101000 overlaps reserved RAM at 0x100000-0x110000'],
    ['--usable 0:64M --usable 32M:4K', '0x2000000-0x2001000 overlaps usable RAM'],
    ['--usable 0:1M', 'too small: 255 usable frames, 512 are needed'],
    ['--reserve 0x1010:4K', 'unaligned: the range at 0x1010'],
    ['--reserve 1M:100', 'unaligned'],
    ['--unmapped 256M:4K', '0x10000000-0x10001000 lies outside RAM'],
    ['--usable 0:64M --reserve 64M:4K', '0x4000000-0x4001000 is not wholly in usable RAM'],
    ['--reserve 1M', 'Give START:SIZE'],
    ['--harts 32', 'Give 1 to 31'],
  ])('refuses %s and says why', async (args, why) => {
    const { status, stdout, stderr } = await runPagoda(['boot', ...args.split(' ')])
    expect([status, stdout.toString()]).toEqual([125, ''])
    expect(stderr).toContain(why)
    expect(stderr).not.toMatch(/InvariantError|\bat \w+ \(/)
  })
})
