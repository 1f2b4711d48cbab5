/** Turns `count` words round from index `start` on, without a view on them, which V8 would have to make. */
export function reverseWords(words: Int32Array, start: number, count: number): void {
  for (let low = start, high = start + count - 1; low < high; low++, high--) {
    const word = words[low]!
    words[low] = words[high]!
    words[high] = word
  }
}
