import { expect, test } from 'vitest'
import { CpuProfile } from './cpu-profile.js'

test('nodes are made once, and fractions of microseconds are not lost', () => {
  const profile = new CpuProfile()
  const main = profile.child(profile.child(profile.root, 'prog'), 'main', '/prog')
  expect(profile.child(profile.child(profile.root, 'prog'), 'main')).toBe(main)
  for (let i = 0; i < 10; i++) profile.add(main, 0.25)
  const file = profile.toJSON()
  expect(file.nodes).toEqual([
    expect.objectContaining({ id: 1, hitCount: 0, children: [2] }),
    expect.objectContaining({ id: 2, hitCount: 0, children: [3] }),
    expect.objectContaining({ id: 3, hitCount: 10, children: [] }),
  ])
  expect(file.nodes[2]!.callFrame).toEqual(expect.objectContaining({ functionName: 'main', url: '/prog' }))
  expect(file.timeDeltas.reduce((a, b) => a + b)).toBe(file.endTime)
  expect([profile.time, file.endTime, profile.timeOf('main')]).toEqual([2.5, 3, 2.5])
})
