import { resolve } from 'node:path'
import ts from 'typescript'
import { Inliner } from './inlining/inliner.mjs'

/**
 * Puts what an accessor, or a method or function of a line or two, does where it is called: `vma.start` becomes `vma._numbers_3f2a9c[vma.ptr >>> 3]`,
 * and `assert(a < b, 'text')` a comparison. V8 does so when it optimizes a function, and takes its time for each; until then each is a call, and most programs
 * end before that. (60,000 times map, touch, unmap 0.43 to 0.33 s of processor time, 1,500 forks 0.62 to 0.48, musl's storm of malloc 0.59 to 0.55; long
 * storms 0 to 6 per cent less.)
 *
 * It must be certain what is called: the type checker says of which class a receiver is. Left alone is
 *
 * - what a subclass has too, or is a member of a class that other objects are taken for, as it has no private one;
 * - what would be evaluated at another time than something that may change it, or twice if it is long;
 * - what has names that are not known where it would stand. Private members are: in a bundle they are ordinary ones (plain-members.mjs);
 * - what is long.
 *
 * A getter, also one behind an interface, is taken for something that changes nothing that others see, and a readonly field of an interface for one that
 * nobody changes. All subclasses must be among what `roots` import: it is for a program, and not for a library.
 */
export function inlineCalls(roots, tsconfig, constants) {
  let inliner
  let program
  const known = new Map()
  const start = () => {
    program = programOf(roots, tsconfig)
    inliner = new Inliner(program, constants)
  }
  return {
    name: 'inline-calls',
    transform: {
      filter: { id: /\.ts$/ },
      handler(code, id) {
        if (inliner === undefined) start()
        const file = program.getSourceFile(id)
        if (file === undefined) return null
        if (file.text !== code) throw new Error(`${id} is not as it was read`)
        if (!known.has(id)) known.set(id, inliner.putInto(file))
        return { code: known.get(id), map: null }
      },
    },
  }
}

/** With all of the project's files if there are no `roots`. */
function programOf(roots, tsconfig) {
  const { config } = ts.readConfigFile(tsconfig, ts.sys.readFile)
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, resolve(tsconfig, '..'))
  return ts.createProgram(roots ?? fileNames, options)
}
