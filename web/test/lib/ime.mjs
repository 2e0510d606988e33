const TAKEN = 229 // the key code of a key that the input method has taken

/** An input method's hands on a page's focused field: real composition and key events, by the DevTools protocol. */
export async function ime(page) {
  const cdp = await page.context().newCDPSession(page)
  const key = (type, keyCode, more) =>
    cdp.send('Input.dispatchKeyEvent', { type, key: 'Enter', code: 'Enter', windowsVirtualKeyCode: keyCode, nativeVirtualKeyCode: keyCode, ...more })
  const hands = {
    compose: (text) => cdp.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length }),
    commit: (text) => cdp.send('Input.insertText', { text }),
    /** Enter goes down, and the input method has it. */
    taken: (more) => key('rawKeyDown', TAKEN, more),
    /** Enter goes down, and the page has it. */
    down: () => key('keyDown', 13, { text: '\r', unmodifiedText: '\r' }),
    up: () => key('keyUp', 13),
    /** Types as a Hangul keyboard does: each syllable grows, and is committed by the next one; the last stays open. */
    async hangul(text) {
      const syllables = [...text]
      for (const [n, syllable] of syllables.entries()) {
        for (const growing of growth(syllable)) {
          await key('rawKeyDown', TAKEN, { key: 'Process', code: 'KeyD' })
          if (n > 0 && growing === growth(syllable)[0]) await hands.commit(syllables[n - 1])
          await hands.compose(growing)
          await key('keyUp', 68, { key: 'd', code: 'KeyD' })
        }
      }
    },
  }
  return hands
}

const INITIALS = [...'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ']

/** 안 → ㅇ 아 안 */
function growth(syllable) {
  const index = syllable.codePointAt(0) - 0xac00
  if (index < 0 || index > 11171) return [syllable]
  const open = String.fromCodePoint(0xac00 + index - (index % 28))
  return [INITIALS[Math.floor(index / 588)], open, ...(open === syllable ? [] : [syllable])]
}
