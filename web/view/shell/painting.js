import { html } from '../html.js'

/** A moon jar that is about to speak, before hills in the mist. Its colours are those of the theme (css/shell.css). */
export const Painting = () => html`
  <svg class="painting" viewBox="0 0 640 800" preserveAspectRatio="xMidYMax slice" aria-hidden="true">
    <defs>
      <radialGradient id="glaze" cx=".36" cy=".3" r=".8">
        <stop offset="0" class="glaze-light" />
        <stop offset=".55" class="glaze-mid" />
        <stop offset="1" class="glaze-deep" />
      </radialGradient>
      <linearGradient id="mist" x2="0" y2="1">
        <stop offset="0" class="mist-top" />
        <stop offset="1" class="mist-low" />
      </linearGradient>
    </defs>
    <path fill="url(#mist)" d="M0 0h640v800H0z" />
    <circle class="moon" cx="452" cy="196" r="74" />
    <path class="cranes" d="M118 236q15-15 29-2 14-15 31-6M196 188q10-11 20-2 11-11 23-4M92 312q9-9 17-1 9-9 19-4" />
    <path class="hill far" d="M0 520c70-30 96-92 152-96 46-3 72 46 118 44 62-3 88-96 152-98 60-2 96 70 142 88 30 12 54 4 76-6v348H0z" />
    <path class="hill" d="M0 606c54-12 92-58 146-58 58 0 92 44 152 40 74-5 110-62 182-60 64 2 104 46 160 46v226H0z" />
    <path class="ground" d="M0 686c120-26 250-32 360-26 108 6 196 8 280-4v144H0z" />
    <ellipse class="shadow" cx="330" cy="716" rx="128" ry="15" />
    <path
      fill="url(#glaze)"
      d="M268 430h108c7 0 11 8 7 14l-13 18c68 20 112 80 112 140 0 52-40 92-96 110-4 5-8 6-14 6H274c-7 0-13-2-17-7-15-5-29-12-41-21l-52 18c-8 3-15-5-12-13l22-52c-8-14-12-29-12-45 0-58 44-116 110-136l-12-18c-4-6 0-14 8-14Z"
    />
    <path class="rim" d="M272 462h100" />
    <path class="words" d="M256 566h148M256 614h92" />
  </svg>
`
