/** Pictures of every screen, in both languages, by day and by night, wide and narrow: `SCREENSHOTS=FOLDER DAMSO_BIN=… node --test test/browser/pictures.mjs`. */
import { mkdir } from 'node:fs/promises'
import { after, test } from 'node:test'
import { withDamso } from '../lib/damso.mjs'
import { furnish } from '../lib/house.mjs'
import { DESKTOP, PHONE, closeBrowser, faultless, openChat, shot, until } from '../lib/page.mjs'
import { proxy } from '../lib/proxy.mjs'
import { SCREENS, badTimes, home } from '../lib/screens.mjs'

const { SCREENSHOTS, WEB_SIZE } = process.env
const skip = SCREENSHOTS ? false : 'SCREENSHOTS names no folder'
const SIZES = { 1280: DESKTOP, 390: PHONE }
const LOCALES = { ko: 'ko-KR', en: 'en-GB' }

after(closeBrowser)

for (const [lang, locale] of Object.entries(LOCALES)) {
  test(`every screen in ${lang}`, { skip }, () =>
    withDamso({ lifted: true, console: true }, async (damso) => {
      const house = await furnish(damso.url, lang)
      const network = await proxy(damso.url)
      try {
        for (const theme of ['light', 'dark']) {
          for (const [width, size] of Object.entries(SIZES)) {
            // The usual run sees each language, each theme and each width, not each with each.
            const isUsual = (lang === 'ko') === (theme === 'light') && (lang === 'ko') === (size === DESKTOP)
            if (WEB_SIZE !== 'full' && !isUsual) continue
            const look = { locale, theme, reducedMotion: 'reduce', ...size }
            const keep = (page, name) => shot(page, `app-${name}-${lang}-${theme}-${width}`)

            const first = await openChat(damso.url, { ...look, name: house.name, ready: false })
            await first.getByRole('alert').filter({ hasText: house.name }).waitFor()
            await keep(first, 'taken')
            await first.evaluate(() => localStorage.clear())
            await first.reload()
            await first.locator('input[name=name]').waitFor()
            await keep(first, 'first')
            await first.context().close()

            const page = await openChat(network.url, { ...look, name: house.name, key: house.key, at: `#/${house.rooms.main}` })
            await until(() => page.log.getByRole('article').count())
            for (const [name, come] of SCREENS) {
              await come(page, house)
              await new Promise((done) => setTimeout(done, 150))
              await keep(page, name)
              await home(page, house)
            }
            await badTimes(page, { ...house, lang, network, operator: damso.type }, (name) => keep(page, name))
            faultless(page, /ERR_|WebSocket/)
            await page.context().close()
          }
        }
      } finally {
        house.close()
        await closeBrowser()
        await network.close()
      }
    }),
  )
}
