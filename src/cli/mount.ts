export interface Mount {
  readonly host: string
  /** Absolute path in the guest, without a slash at the end (but for the root). */
  readonly guest: string
  readonly readOnly: boolean
}

/** `HOST:GUEST` or `HOST:GUEST:ro`; undefined when it is neither. The first `:/` ends the host's path. */
export function parseMount(text: string): Mount | undefined {
  const match = /^(.+?):(\/[^:]*)(?::(ro|rw))?$/.exec(text)
  if (!match) return undefined
  const guest = match[2]!.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')
  return { host: match[1]!, guest, readOnly: match[3] === 'ro' }
}
