/** A time series as a line in SVG, with its value under the pointer. Its table stands beside it, so that no value is only drawn. */
import { useEffect, useRef, useState } from 'react'
import css from './chart.module.css'

export interface Point {
  at: number
  y: number
  /** What the point says in words: its time and exact value. */
  text: string
}

const HEIGHT = 180
const MARGIN = { left: 8, right: 8, top: 10, bottom: 10 }

export function LineChart({ label, points }: { label: string; points: readonly Point[] }) {
  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const [near, setNear] = useState<number | null>(null)
  const first = points[0]
  const last = points[points.length - 1]
  const place = scale(points, width)
  const shown = near === null ? last : points[near]
  if (first === undefined || last === undefined || shown === undefined) return null
  const path = points.map((point, index) => `${index === 0 ? 'M' : 'L'}${place.x(point).toFixed(1)} ${place.y(point).toFixed(1)}`).join('')
  return (
    <div ref={box}>
      <svg
        role="img"
        aria-label={`${label}: ${first.text} – ${last.text}`}
        width={width}
        height={HEIGHT}
        className={css.chart}
        onPointerMove={(event) => setNear(nearest(points, place, event.nativeEvent.offsetX))}
        onPointerLeave={() => setNear(null)}
      >
        <path d={`${path}L${place.x(last).toFixed(1)} ${HEIGHT}L${place.x(first).toFixed(1)} ${HEIGHT}Z`} className={css.area} />
        <path d={path} className={css.line} />
        <circle cx={place.x(shown)} cy={place.y(shown)} r={4} className={css.mark} />
      </svg>
      <div className={css.reading}>{shown.text}</div>
    </div>
  )
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
}

function scale(points: readonly Point[], width: number): Scale {
  const times = points.map(({ at }) => at)
  const values = points.map(({ y }) => y)
  const [from, to] = [Math.min(...times), Math.max(...times)]
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const across = width - MARGIN.left - MARGIN.right
  const up = HEIGHT - MARGIN.top - MARGIN.bottom
  return {
    x: ({ at }) => MARGIN.left + (to === from ? across / 2 : ((at - from) / (to - from)) * across),
    y: ({ y }) => MARGIN.top + (high === low ? up / 2 : ((high - y) / (high - low)) * up),
  }
}

function nearest(points: readonly Point[], place: Scale, x: number): number {
  let best = 0
  points.forEach((point, index) => {
    const current = points[best]
    if (current && Math.abs(place.x(point) - x) < Math.abs(place.x(current) - x)) best = index
  })
  return best
}
