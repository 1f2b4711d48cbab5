/** Words of scripts whose letters stand for bits. */

export const bits = (letters: string, values: readonly number[]) =>
  new Map([...letters].map((c, i) => [c, values[i]!]))

export function flags(text: string | undefined, table: ReadonlyMap<string, number>): number {
  let all = 0
  for (const letter of text ?? '') if (letter !== '-') all |= table.get(letter)!
  return all
}
