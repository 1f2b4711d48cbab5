/** The templates that a translator has made so far. */
import type { Instruction } from './flow.js'
import type { Template } from './template.js'
import { TemplateEmitter, type Variant } from './template-emitter.js'

/** How an access finds its place: by the TLB alone, by a span of its own, or in a window that is open. */
export const Way = { plain: 0, span: 1, window: 2 } as const
export type Way = (typeof Way)[keyof typeof Way]

/** Of a meaning there are so many: by the way of its access, to x0 or not, by rounding mode. */
const VARIANTS = 64

const PLAIN: Omit<Variant, 'shared'> = { hasWindow: false, hasSpan: false, isZero: false, roundingMode: 0 }

export class Templates {
  readonly #shared: boolean
  readonly #made: (Template | undefined)[] = []
  /** What opens windows: for stores too or not, with a span or not. */
  readonly #openings: (Template | undefined)[] = []

  /** `shared`: harts run at the same time. */
  constructor(shared: boolean) {
    this.#shared = shared
  }

  of({ operands, rd, word }: Instruction, way: Way): Template {
    const isZero = rd === 0
    const roundingMode = operands.isRounded ? (word >>> 12) & 7 : 0
    const key = operands.meaning * VARIANTS + way + (isZero ? 4 : 0) + roundingMode * 8
    let template = this.#made[key]
    if (template === undefined) {
      const [hasWindow, hasSpan] = [way === Way.window, way === Way.span]
      const emitter = new TemplateEmitter({ shared: this.#shared, hasWindow, hasSpan, isZero, roundingMode })
      this.#made[key] = template = emitter.instruction(operands)
    }
    return template
  }

  /** What opens a window, for loads or for both. */
  opening(isWritten: boolean, hasSpan: boolean): Template {
    const variant = { shared: this.#shared, ...PLAIN, hasSpan }
    return (this.#openings[(isWritten ? 1 : 0) + (hasSpan ? 2 : 0)] ??= new TemplateEmitter(variant).opening(
      isWritten,
    ))
  }
}
