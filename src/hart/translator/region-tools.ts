/**
 * What it takes to write regions one after another. All but the templates is of one region at a time, and made once: most regions are small, and a dozen
 * arrays for each take longer than what is done in them.
 */
import type { Code } from '../../base/wasm/code.js'
import type { HartLayout } from '../hart-layout.js'
import { PageWindows } from './page-windows.js'
import { regionEnd } from './region-end.js'
import { RegionFrame } from './region-frame.js'
import { RegisterFlow } from './register-flow.js'
import { ShortForms } from './short-forms.js'
import { Templates } from './templates.js'

export class RegionTools {
  readonly templates: Templates
  readonly frame: RegionFrame
  readonly windows = new PageWindows()
  readonly x = new RegisterFlow('x')
  readonly f = new RegisterFlow('f')
  readonly forms = new ShortForms()
  /** What all regions end in. */
  readonly regionEnd: Code

  constructor(layout: HartLayout) {
    this.templates = new Templates(layout.shared)
    this.frame = new RegionFrame()
    this.regionEnd = regionEnd(this.frame, layout)
  }

  /** A module is written: keeps nothing of it alive until the next one. */
  end(): void {
    this.frame.end()
    this.windows.end()
    this.forms.end()
  }
}
