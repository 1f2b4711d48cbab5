/** The templates that a translator has made so far. */
import type { Instruction } from './flow.js'
import type { Template } from './template.js'
import { TemplateEmitter, type Variant } from './template-emitter.js'

/** Of a meaning there are so many: with a window or without, to x0 or not, by rounding mode. */
const VARIANTS = 32

const PLAIN: Omit<Variant, 'shared'> = { hasWindow: false, isZero: false, roundingMode: 0 }

export class Templates {
  readonly #shared: boolean
  readonly #made: (Template | undefined)[] = []
  #opening: Template | undefined
  #openingWritten: Template | undefined

  /** `shared`: harts run at the same time. */
  constructor(shared: boolean) {
    this.#shared = shared
  }

  of({ operands, rd, word }: Instruction, hasWindow: boolean): Template {
    const isZero = rd === 0
    const roundingMode = operands.isRounded ? (word >>> 12) & 7 : 0
    const key = operands.meaning * VARIANTS + (hasWindow ? 1 : 0) + (isZero ? 2 : 0) + roundingMode * 4
    let template = this.#made[key]
    if (template === undefined) {
      const emitter = new TemplateEmitter({ shared: this.#shared, hasWindow, isZero, roundingMode })
      this.#made[key] = template = emitter.instruction(operands)
    }
    return template
  }

  /** What opens a window, for loads or for both. */
  opening(isWritten: boolean): Template {
    if (isWritten) return (this.#openingWritten ??= this.#newOpening(true))
    return (this.#opening ??= this.#newOpening(false))
  }

  #newOpening(isWritten: boolean): Template {
    return new TemplateEmitter({ shared: this.#shared, ...PLAIN }).opening(isWritten)
  }
}
