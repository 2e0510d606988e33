const mac = /Mac|iP(hone|ad|od)/.test(globalThis.navigator?.platform ?? '')

/** What stands before a letter in a shortcut, on this machine. */
export const MOD = mac ? '⌘' : 'Ctrl '
