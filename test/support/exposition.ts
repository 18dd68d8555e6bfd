/** Reads the text format of Prometheus, and is as strict as its format says: a name has one HELP and TYPE, its samples follow them, none twice. */

const META = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/
const SAMPLE =
  /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/i

/** Value by series: `name{labels}`, as they are written. */
export function readExposition(text: string): Map<string, number> {
  const series = new Map<string, number>()
  const seen = new Set<string>()
  let family = ''
  let type = ''
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, what, name = '', rest = ''] = line.match(META) ?? []
    if (what === 'HELP') {
      if (seen.has(name)) throw new Error(`a second HELP of ${name}`)
      seen.add(name)
      family = name
      type = ''
    } else if (what === 'TYPE') {
      if (name !== family || type !== '') throw new Error(`a TYPE of ${name} that is not below its HELP`)
      type = rest
    } else {
      const [, sample, labels = '', value] = line.match(SAMPLE) ?? []
      if (sample === undefined) throw new Error(`not a line of the format: ${line}`)
      const suffixes =
        type === 'histogram' ? ['_bucket', '_sum', '_count'] : type === 'summary' ? ['', '_sum', '_count'] : ['']
      if (!suffixes.some((suffix) => sample === family + suffix)) throw new Error(`${sample} stands below ${family}`)
      const key = labels === '' ? sample : `${sample}{${labels}}`
      if (series.has(key)) throw new Error(`${key} stands there twice`)
      series.set(key, Number(value))
    }
  }
  return series
}
