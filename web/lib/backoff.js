const FIRST = 500 // ms
const LONGEST = 30_000 // ms

/**
 * How long to wait, in ms, before try `k` (0, 1, 2 …) to come back; `random` in [0, 1) spreads a crowd.
 * @param {number} k
 * @param {number} random
 */
export function backoff(k, random) {
  return Math.min(LONGEST, FIRST * 2 ** k) * (0.5 + random / 2)
}
