// What dist/ is made of, as one hash: sources, scripts, the programs that a build runs, versions. It is written into dist/ when all is built,
// so that a build can be left out that would make the same again.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const STAMP = 'dist/.inputs'
const FOLDERS = ['src', 'scripts', 'bin', 'examples']
const FILES = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']

const isInput = (name) => !name.endsWith('.test.ts')

function filesIn(folder) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile() && isInput(entry.name))
  return files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort()
}

/** Of the project in the current folder, for this Node. */
export function inputsHash() {
  const hash = createHash('sha256').update(
    `${process.version} ${process.arch} ${process.env.NODE_OPTIONS ?? ''}\0`,
  )
  const files = [...FILES.filter((name) => existsSync(name)), ...FOLDERS.flatMap(filesIn)]
  for (const file of files) hash.update(`${file}\0`).update(readFileSync(file)).update('\0')
  return hash.digest('hex')
}

/** Whether dist/ is what a build of these inputs would make, with the declarations if they are wanted. */
export function isBuilt(inputs, withTypes) {
  if (!existsSync(STAMP)) return false
  const [hash, ...parts] = readFileSync(STAMP, 'utf8').split(' ')
  return hash === inputs && (!withTypes || parts.includes('types'))
}

export function forgetBuilt() {
  rmSync(STAMP, { force: true })
}

/** All is built of these inputs. */
export function noteBuilt(inputs, withTypes) {
  writeFileSync(STAMP, `${inputs}${withTypes ? ' types' : ''}`)
}
