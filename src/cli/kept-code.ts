/** What one run of a program gets of the code that earlier runs translated, and leaves for later ones. */
import { resolve } from 'node:path'
import type { CodeKeeper } from '../base/wasm/code-keeper.js'
import type { Hart } from '../hart/hart.js'
import { KeptTranslations } from '../hart/translator/kept-translations.js'
import type { BuiltIn } from './built-in.js'
import { CodeCache, defaultFolder } from './code-cache.js'
import type { RunOptions } from './run-options.js'
import { say } from './say.js'

const OFF = 'off'

export class KeptCode {
  readonly translations: KeptTranslations
  readonly #cache: CodeCache
  /** Whether the user has named the folder: then it is worth a line when it cannot be written to. */
  readonly #isAskedFor: boolean

  private constructor(cache: CodeCache, keeper: CodeKeeper | undefined, isAskedFor: boolean) {
    this.#cache = cache
    this.#isAskedFor = isAskedFor
    this.translations = read(cache, keeper)
  }

  /** Nothing when nothing is to be kept, or nobody knows which build this is. */
  static of(program: string, options: RunOptions, built: BuiltIn | undefined): KeptCode | undefined {
    const folder = options.codeCache || defaultFolder(process.env)
    if (built?.build === undefined || folder === undefined || folder === OFF) return undefined
    if (options.translate === 'off') return undefined
    // What a page holds is looked at before its code is used, so that it does not matter if the program is another one by now.
    const { memory, seed, aslr, translateThreshold, root = [] } = options
    const [path, ...roots] = [
      root.length > 0 ? program : resolve(program),
      ...root.map((one) => resolve(one)),
    ]
    const key = [built.build, path, roots, memory, seed, aslr, translateThreshold]
    return new KeptCode(
      new CodeCache(folder, program.slice(program.lastIndexOf('/') + 1), key, built.parts),
      built.keeper,
      options.codeCache !== undefined,
    )
  }

  /** Once the program has ended, whose exit code does not depend on it. */
  keep(hart: Hart): void {
    try {
      const packed = hart.keepTranslations()
      if (packed !== undefined) this.#cache.write(packed)
    } catch (error) {
      if (this.#isAskedFor) say(`pagoda: --code-cache: ${(error as Error).message}\n`)
    }
  }
}

function read(cache: CodeCache, keeper: CodeKeeper | undefined): KeptTranslations {
  try {
    return new KeptTranslations(cache.read(), keeper)
  } catch {
    return new KeptTranslations(undefined, keeper)
  }
}
