import type { Pfn } from '../base/numbers.js'
import { FrameFlag } from '../frame/frame-table.js'
import { ObjectKind } from './page-object.js'
import type { SpaceEnv } from './space-env.js'

/** Takes the pages of files out of the cache that nobody maps and that their provider has as they are (drop_pagecache_sb). */
export function dropCaches(mm: SpaceEnv): void {
  const { frames, objects } = mm
  const isUsed = (pfn: Pfn) =>
    frames.refCount(pfn) > 1 || (frames.flags(pfn) & (FrameFlag.dirtyPage | FrameFlag.writeBack)) !== 0
  objects.forEach((object) => {
    if (objects.kind(object) !== ObjectKind.provided) return
    const unused: number[] = []
    objects.lock(object)
    objects.forEachPage(object, (index, pfn) => {
      if (!isUsed(pfn)) unused.push(index)
    })
    objects.unlock(object)
    for (const index of unused) objects.dropUnused(object, index)
  })
}
