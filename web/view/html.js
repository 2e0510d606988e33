import htm from 'htm'
import { h } from 'preact'

/** Markup in a template literal: nodes, never text that is parsed as HTML. */
export const html = htm.bind(h)
