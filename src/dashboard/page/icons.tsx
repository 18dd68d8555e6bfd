/** Icons: drawn in the color of the text around them, and not read to anybody. */

const SHAPES = {
  overview: 'M2 2h5v5H2zM9 2h5v3H9zM9 7h5v7H9zM2 9h5v5H2z',
  services: 'M2 3h12v3H2zM2 10h12v3H2zM5 6v4M11 6v4',
  processes: 'M4 4h8v8H4zM6 1v3M10 1v3M6 12v3M10 12v3M1 6h3M1 10h3M12 6h3M12 10h3',
  requests: 'M1 8h11M8 4l4 4-4 4M14.5 3v10',
  tasks: 'M2 4l1.5 1.5L6 3M2 11l1.5 1.5L6 10M8 4.5h6M8 11.5h6',
  schedules: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM8 4v4l3 2',
  dead: 'M2 4h12v9H2zM2 4l6 5 6-5',
  entries: 'M8 1.5l6 3v7l-6 3-6-3v-7zM2 4.5l6 3 6-3M8 7.5v7',
  transactions: 'M2 5h10M9 2l3 3-3 3M14 11H4M7 8l-3 3 3 3',
  audit: 'M4 1.5h6l3 3v10H4zM6.5 7h4M6.5 10h4',
  good: 'M3 8.5l3.2 3.2L13 4.8',
  degraded: 'M8 2l6.5 12h-13zM8 6.5v3.5M8 12v.5',
  bad: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM5.5 5.5l5 5M10.5 5.5l-5 5',
  pause: 'M5 3v10M11 3v10',
  run: 'M4 2.5l9 5.5-9 5.5z',
  theme: 'M8 1.5a6.5 6.5 0 1 0 0 13zM8 1.5a6.5 6.5 0 0 1 0 13',
  up: 'M8 3l5 6H3z',
  down: 'M8 13L3 7h10z',
} as const

export type IconName = keyof typeof SHAPES

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d={SHAPES[name]} />
  </svg>
)
