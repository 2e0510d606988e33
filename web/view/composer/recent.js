import { kept } from '../../model/kept.js'

const KEPT = 24

/** The emoji used last, the newest first. */
export const recent = kept('emoji', /** @type {string[]} */ ([]))

/** @param {string} glyph */
export function used(glyph) {
  recent.value = [glyph, ...recent.peek().filter((other) => other !== glyph)].slice(0, KEPT)
}
