import { signal } from '@preact/signals'

/** What the search pane is to look for, and what the room about to be made is to be called; '' once it is taken. */
export const asked = signal('')
export const called = signal('')
