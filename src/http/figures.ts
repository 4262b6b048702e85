/** Figures for Prometheus that are counted elsewhere and written down when they are asked for. */
import { Counter, Gauge, type Registry } from 'prom-client'

export interface Figures {
  /** @param name without `rootstream_` */
  gauge(name: string, help: string, ...labelNames: string[]): Gauge
  /** @param name without `rootstream_` */
  counter(name: string, help: string, ...labelNames: string[]): Counter
}

export function createFigures(registers: Registry[]): Figures {
  const options = (name: string, help: string, labelNames: string[]) => ({
    name: `rootstream_${name}`,
    ...{ help, labelNames, registers },
  })
  return {
    gauge: (name, help, ...labelNames) => new Gauge(options(name, help, labelNames)),
    counter: (name, help, ...labelNames) => new Counter(options(name, help, labelNames)),
  }
}

/** What is no number is left out. */
export function setGauge(gauge: Gauge, value: unknown): void {
  if (typeof value === 'number') gauge.set(value)
  else gauge.remove()
}

/** What is no number is left out. */
export function setCounter(counter: Counter, value: unknown, labels: Record<string, string> = {}): void {
  counter.remove(labels)
  if (typeof value === 'number') counter.inc(labels, value)
}
