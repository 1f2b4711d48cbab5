import { describe, expect, it } from 'vitest'
import { parseScript } from './script.js'

const parse = (text: string) => parseScript(new TextEncoder().encode(text))
const line = (interpreter: string, argument?: string) => ({ interpreter, argument })
const long = 'x'.repeat(300)

/** What a real Linux 6.12 did with these files. */
describe('the first line of a script', () => {
  it.each([
    ['#!/bin/sh\n', line('/bin/sh')],
    ['#!/bin/sh', line('/bin/sh')],
    ['#!  \t/bin/sh\necho', line('/bin/sh')],
    ['#!/bin/env one two  three \n', line('/bin/env', 'one two  three')],
    ['#!/bin/sh -x \t \n', line('/bin/sh', '-x')],
    ['#!/bin/sh \n', line('/bin/sh')],
    ['#!/bin/sh \0 x\n', line('/bin/sh', '')],
    ['#!sh\n', line('sh')],
    ['#!', line('')],
    [`#!/bin/sh ${long}\n`, line('/bin/sh', 'x'.repeat(245))],
  ])('%j', (text, expected) => {
    expect(parse(text)).toEqual(expected)
  })

  it.each([
    '',
    '#',
    '#!\n',
    '#! \t \n',
    `#!${' '.repeat(300)}/bin/sh\n`,
    `#!/${long}\n`,
    '/bin/sh\n',
    '\x7fELF',
  ])('%j is none', (text) => {
    expect(parse(text)).toBeUndefined()
  })

  it('is the same for a name that just fits, and none for one that may go on', () => {
    expect(parse(`#!/${'x'.repeat(252)}\n`)?.interpreter).toHaveLength(253)
    expect(parse(`#!/${'x'.repeat(252)}y\n`)).toBeUndefined()
    expect(parse(`#!/${'x'.repeat(252)} y\n`)?.interpreter).toHaveLength(253)
  })
})
