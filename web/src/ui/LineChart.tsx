/** Time series as lines in SVG, with their values under the pointer. Their table stands beside it, so that no value is only drawn. */
import { useEffect, useRef, useState } from 'react'
import css from './chart.module.css'

export interface Point {
  at: number
  y: number
  /** What the point says in words: its time and exact value. */
  text: string
}

/** One line of a chart; `name` stands in the legend. */
export interface Line {
  name: string
  points: readonly Point[]
}

const HEIGHT = 180
const MARGIN = { left: 8, right: 8, top: 10, bottom: 10 }
/** Lines differ by their dashes, not by colour alone. */
const STYLES = [css.line, css.lineDashed, css.lineDotted] as const

export function LineChart({ label, points }: { label: string; points: readonly Point[] }) {
  return <LinesChart label={label} lines={[{ name: label, points }]} />
}

/**
 * Up to three lines over the same time. A single one has its area filled. In a fan the second and third are the ends of an interval, and the area
 * between them is filled.
 */
export function LinesChart({ label, lines, isFan = false }: { label: string; lines: readonly Line[]; isFan?: boolean }) {
  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const [pointer, setPointer] = useState<number | null>(null)
  const all = lines.flatMap(({ points }) => points)
  if (all.length === 0) return null
  const place = scale(all, width)
  const shown = lines.flatMap(({ name, points }) => {
    const point = pointer === null ? points.at(-1) : nearest(points, place, pointer)
    return point === undefined ? [] : [{ name, point }]
  })
  const isSingle = lines.length === 1
  return (
    <div ref={box}>
      <svg
        role="img"
        aria-label={`${label}: ${lines.map(summary).join('; ')}`}
        width={width}
        height={HEIGHT}
        className={css.chart}
        onPointerMove={(event) => setPointer(event.nativeEvent.offsetX)}
        onPointerLeave={() => setPointer(null)}
      >
        {place.zero === null ? null : <line x1={0} x2={width} y1={place.zero} y2={place.zero} className={css.zero} />}
        {isFan ? <path d={between(lines[1]?.points ?? [], lines[2]?.points ?? [], place)} className={css.area} /> : null}
        {lines.map(({ name, points }, index) => (
          <g key={name}>
            {isSingle ? <path d={area(points, place)} className={css.area} /> : null}
            <path d={path(points, place)} className={STYLES[index % STYLES.length]} />
          </g>
        ))}
        {shown.map(({ name, point }) => (
          <circle key={name} cx={place.x(point)} cy={place.y(point)} r={4} className={css.mark} />
        ))}
      </svg>
      {isSingle ? (
        <div className={css.reading}>{shown[0]?.point.text}</div>
      ) : (
        <ul className={css.legend}>
          {shown.map(({ name, point }) => (
            <li key={name} className={css.reading}>
              <svg width={28} height={10} aria-hidden="true">
                <line x1={0} x2={28} y1={5} y2={5} className={STYLES[lines.findIndex((line) => line.name === name) % STYLES.length]} />
              </svg>
              {name} · {point.text}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

function summary({ name, points }: Line): string {
  return `${name} ${points[0]?.text ?? ''} – ${points.at(-1)?.text ?? ''}`
}

function path(points: readonly Point[], place: Scale): string {
  return points.map((point, index) => `${index === 0 ? 'M' : 'L'}${place.x(point).toFixed(1)} ${place.y(point).toFixed(1)}`).join('')
}

function area(points: readonly Point[], place: Scale): string {
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined) return ''
  return `${path(points, place)}L${place.x(last).toFixed(1)} ${HEIGHT}L${place.x(first).toFixed(1)} ${HEIGHT}Z`
}

/** The area from one line to another. */
function between(lower: readonly Point[], upper: readonly Point[], place: Scale): string {
  return lower.length === 0 || upper.length === 0 ? '' : `${path(lower, place)}${path([...upper].reverse(), place).replace('M', 'L')}Z`
}

function useWidth(box: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(600)
  useEffect(() => {
    const element = box.current
    if (element === null) return undefined
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.max(entry.contentRect.width, 100)))
    observer.observe(element)
    return () => observer.disconnect()
  }, [box])
  return width
}

interface Scale {
  x: (point: Point) => number
  y: (point: Point) => number
  /** Where zero lies, if it is within the drawing. */
  zero: number | null
}

function scale(points: readonly Point[], width: number): Scale {
  const times = points.map(({ at }) => at)
  const values = points.map(({ y }) => y)
  const [from, to] = [Math.min(...times), Math.max(...times)]
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const across = width - MARGIN.left - MARGIN.right
  const up = HEIGHT - MARGIN.top - MARGIN.bottom
  const level = (value: number) => MARGIN.top + (high === low ? up / 2 : ((high - value) / (high - low)) * up)
  return {
    x: ({ at }) => MARGIN.left + (to === from ? across / 2 : ((at - from) / (to - from)) * across),
    y: ({ y }) => level(y),
    zero: low < 0 && high > 0 ? level(0) : null,
  }
}

function nearest(points: readonly Point[], place: Scale, x: number): Point | undefined {
  const distance = (point: Point) => Math.abs(place.x(point) - x)
  return points.reduce<Point | undefined>((best, point) => (best === undefined || distance(point) < distance(best) ? point : best), undefined)
}
