import { html } from './html.js'

const PATHS = {
  menu: 'M4 7h16M4 12h16M4 17h16',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM20 20l-4-4',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20c.5-3.5 3-5.5 6.5-5.5s6 2 6.5 5.5M16 4.3a3.5 3.5 0 0 1 0 6.4M18.5 15c1.7.8 2.7 2.5 3 5',
  pin: 'M9 4h6l-.7 6 3.2 3v2h-11v-2l3.2-3L9 4ZM12 15v5',
  settings: 'M4 8h9M17 8h3M4 16h3M11 16h9M15 5.5v5M9 13.5v5',
  reply: 'M9 7 4 12l5 5M4 12h9c4 0 6 2 7 6',
  react: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM8.5 14c1.8 2.6 5.2 2.6 7 0M9 9.5v.5M15 9.5v.5',
  edit: 'M5 19h3L19 8l-3-3L5 16v3Z',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7M10.5 11v5M13.5 11v5',
  send: 'M5 12h13M12.5 6l6 6-6 6',
  plus: 'M12 5v14M5 12h14',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M14 6l-6 6 6 6',
  down: 'M12 5v14M6 13l6 6 6-6',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  link: 'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1.500 1.500M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1.500-1.500',
  lock: 'M6 11h12v9H6v-9ZM8.500 11V8a3.500 3.500 0 0 1 7 0v3',
  hash: 'M9.500 4 8 20M16 4l-1.500 16M5 9h15M4 15h15',
  megaphone: 'M4 10v4h3l9 4.500v-13L7 10H4ZM8 14.500V19h3v-3M19 10v4',
  phone: 'M8 3h8v18H8V3ZM11 18h2',
  calendar: 'M4 6h16v14H4V6ZM4 10.500h16M8 3.500V7M16 3.500V7',
  check: 'M5 12.500 10 17.500 19 7',
  bell: 'M6 16c1-1.500 1-3 1-5.500a5 5 0 0 1 10 0c0 2.500 0 4 1 5.500H6ZM10.500 19.500h3',
  copy: 'M9 9h10v11H9V9ZM5 15V4h10',
  help: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.7.300-1 .8-1 1.700M12 16.500v.5',
}

/** @param {{ name: keyof typeof PATHS }} props */
export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>
`
