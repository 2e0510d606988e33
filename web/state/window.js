/**
 * Which of the messages in memory are on the page: a window that slides over them. Its edges are messages, not places in
 * the list, as the list grows at both ends and in its gaps.
 *
 * @typedef {import('../types').Message} Message
 * @typedef {{ from: number, to: number }} Window `m` of the first and the last message shown; 0 and Infinity are the ends
 */
import { place } from './timeline.js'

export const SHOWN_MAX = 400 // messages that are nodes at the same time
export const STEP = 100 // messages by which it moves

/** The places in the list, from `start` until before `end`. @param {Message[]} messages @param {Window} window */
export const span = (messages, { from, to }) => ({ start: place(messages, from), end: place(messages, to + 1) })

/** The newest messages. @param {Message[]} messages */
export const newest = (messages) => between(messages, messages.length - STEP, messages.length)

/** A message, and as much before as after it. @param {Message[]} messages @param {number} m */
export function around(messages, m) {
  const at = place(messages, m)
  return between(messages, at - STEP / 2, at + STEP / 2)
}

/**
 * A step up (-1) or down (1); what is too much goes at the other side.
 * @param {Message[]} messages
 * @param {Window} window
 * @param {-1 | 1} way
 */
export function moved(messages, window, way) {
  const { start, end } = span(messages, window)
  if (way < 0) return between(messages, start - STEP, Math.min(end, Math.max(0, start - STEP) + SHOWN_MAX))
  return between(messages, Math.max(start, Math.min(messages.length, end + STEP) - SHOWN_MAX), end + STEP)
}

/**
 * The window after more has come in: not too much of it, and what is read stays.
 * @param {Message[]} messages
 * @param {Window} window
 * @param {number} at the message that is read, Infinity for the end
 */
export function fitted(messages, window, at) {
  const { start, end } = span(messages, window)
  const drop = Math.ceil(Math.max(0, end - start - SHOWN_MAX) / STEP) * STEP
  if (!drop) return window
  return place(messages, at) - start > end - place(messages, at)
    ? between(messages, start + drop, end)
    : between(messages, start, end - drop)
}

/** @param {Message[]} messages @param {number} start @param {number} end @returns {Window} */
const between = (messages, start, end) => ({
  from: start > 0 ? messages[start].m : 0,
  to: end < messages.length ? messages[end - 1].m : Infinity,
})
