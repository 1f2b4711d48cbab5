const UNITS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

/** Bytes of `256M`, `1GiB`, `64k` or a plain number; undefined when it is none. Units are powers of 1024. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?$/i.exec(text.trim())
  if (!match) return undefined
  const bytes = Number(match[1]) * UNITS[match[2]!.toLowerCase()]!
  return Number.isInteger(bytes) ? bytes : undefined
}

/** `12.0 MiB`, `4.0 KiB`, `0 B`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const [unit, size] =
    bytes < 2 ** 20 ? ['KiB', 2 ** 10] : bytes < 2 ** 30 ? ['MiB', 2 ** 20] : ['GiB', 2 ** 30]
  return `${(bytes / size).toFixed(1)} ${unit}`
}
