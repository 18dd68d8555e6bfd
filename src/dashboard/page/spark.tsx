/** A small line of the last minutes, drawn as SVG; its text says what it shows. */

const WIDTH = 96
const HEIGHT = 20

export function Spark({ values, label }: { readonly values: readonly number[]; readonly label: string }) {
  const most = Math.max(1, ...values)
  const step = WIDTH / Math.max(values.length - 1, 1)
  const points = values.map(
    (value, i) => `${(i * step).toFixed(1)},${(HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1)}`,
  )
  const text = `${label}: now ${values.at(-1) ?? 0}, at most ${Math.max(0, ...values)}`
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img" aria-label={text}>
      <title>{text}</title>
      <polyline points={points.join(' ')} />
    </svg>
  )
}
