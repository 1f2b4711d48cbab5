/** A whole number with a comma between thousands. (toLocaleString loads the languages of the world: 15 ms.) */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}
