/** Draws the icons of `icons/` from `icon.svg`, in Chromium: `node tools/icons.mjs`. */
import { mkdir, readFile } from 'node:fs/promises'
import { chromium } from 'playwright-core'

const ICONS = [
  { name: 'icon-192', size: 192, share: 1, ground: 'none' },
  { name: 'icon-512', size: 512, share: 1, ground: 'none' },
  // Systems cut it to their own shape: what counts stays in the middle.
  { name: 'maskable-512', size: 512, share: 0.62, ground: '#f3eee2' },
]

const web = new URL('..', import.meta.url)
const icon = await readFile(new URL('icon.svg', web), 'utf8')
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox'] })
await mkdir(new URL('icons/', web), { recursive: true })
for (const { name, size, share, ground } of ICONS) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>body{margin:0;height:100vh;display:grid;place-items:center;background:${ground}}svg{width:${share * 100}vw}</style>${icon}`)
  await page.screenshot({ path: new URL(`icons/${name}.png`, web).pathname, omitBackground: true })
}
await browser.close()
