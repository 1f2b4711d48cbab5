import { expect, it } from 'vitest'
import { parseMount } from './mount.js'

it('reads HOST:GUEST with or without a mode', () => {
  expect(parseMount('.:/work')).toEqual({ host: '.', guest: '/work', readOnly: false })
  expect(parseMount('/a/b:/c:ro')).toEqual({ host: '/a/b', guest: '/c', readOnly: true })
  expect(parseMount('/a:/c:rw')).toEqual({ host: '/a', guest: '/c', readOnly: false })
})

it('takes colons on the host, and slashes too many in the guest', () => {
  expect(parseMount('C:\\data:/d:ro')).toEqual({ host: 'C:\\data', guest: '/d', readOnly: true })
  expect(parseMount('a:b:/c')).toEqual({ host: 'a:b', guest: '/c', readOnly: false })
  expect(parseMount('x://a//b/')).toEqual({ host: 'x', guest: '/a/b', readOnly: false })
  expect(parseMount('x:/')).toEqual({ host: 'x', guest: '/', readOnly: false })
})

it('refuses anything else', () => {
  for (const text of ['', 'x', ':/x', 'x:', 'x:y', 'x:/y:no', 'x:y:ro', '/a:/b:ro:rw']) {
    expect(parseMount(text), text).toBeUndefined()
  }
})
