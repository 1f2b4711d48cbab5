/** The README's example is run as it stands there, and prints what the README says. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The code blocks below a heading, until the next one: language and text. */
function codeBlocks(markdown: string, heading: string): { language: string; text: string }[] {
  const section = markdown.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  return [...section.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((m) => ({ language: m[1]!, text: m[2]! }))
}

test('the lines under "Without a hart" print what the README says', () => {
  const [example, output] = codeBlocks(readFileSync(`${root}/README.md`, 'utf8'), 'Without a hart')
  expect(example?.language).toMatch(/^[jt]s$/)
  expect(example!.text.trimEnd().split('\n').length, 'about ten lines').toBeLessThan(14)
  const printed = execFileSync(process.execPath, ['--input-type=module'], {
    cwd: root, // where the name of the package is its own
    input: example!.text,
    encoding: 'utf8',
  })
  expect(printed.trimEnd()).toBe(output!.text.trimEnd())
})
