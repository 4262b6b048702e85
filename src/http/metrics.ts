/** Figures for Prometheus, on registries of their own: of the process, of the node and of its HTTP API. */
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import type { RuntimeNode } from '../app.ts'
import { noDrops } from '../sync/monitored-bus.ts'
import { createAccountMetrics } from './account-metrics.ts'
import { createFigures, setCounter, setGauge } from './figures.ts'

export interface HttpMetrics {
  readonly contentType: string
  /** @param route as it is registered, undefined where none matched */
  answered(method: string, route: string | undefined, status: number, seconds: number): void
  /** Asks the node and writes everything down. What cannot be asked now is left out. */
  render(): Promise<string>
}

export interface HttpMetricsOptions {
  readonly node: RuntimeNode
  readonly inFlight: () => number
  readonly streams: () => number
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export function createHttpMetrics({ node, inFlight, streams }: HttpMetricsOptions): HttpMetrics {
  const registry = new Registry()
  const registers = [registry]
  const { gauge, counter } = createFigures(registers)
  const requests = counter('http_requests_total', 'Requests that were answered.', 'method', 'route', 'status')
  const duration = new Histogram({
    name: 'rootstream_http_request_duration_seconds',
    help: 'From the headers of a request to the end of its answer; without event streams.',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS,
    registers,
  })
  const componentOk = gauge('component_ok', 'Whether a part of the node is well, as /health has it.', 'component')
  const incarnation = gauge('node_incarnation', 'Which start of this node it is.')
  const requestsInFlight = gauge('http_requests_in_flight', 'Requests being answered, as the limit counts them.')
  const eventStreams = gauge('http_event_streams', 'Event streams that are open.')
  /** By part of the health report: its figures and the gauges that show them. */
  const gauges = {
    log: { head: gauge('log_head_position', 'Position of the last event in the log.') },
    projections: {
      position: gauge('projection_position', 'Everything up to this position is in the read tables.'),
      lag: gauge('projection_lag_events', 'Positions of the log that are not in the read tables yet.'),
      failures: gauge('projection_parked_actors', 'Actors whose rows stand still until they can be projected.'),
    },
    actors: {
      active: gauge('actors_active', 'Actors in memory.'),
      queued: gauge('commands_queued', 'Commands that wait in mailboxes.'),
      effects: gauge('effects_pending', 'Effects that run or wait here.'),
    },
    journal: {
      pending: gauge('journal_pending', 'Commands accepted while Postgres was away that are not in the log yet.'),
      bytes: gauge('journal_bytes', 'Size of the journal.'),
    },
  }
  const clockGauges = {
    ahead: gauge('clock_ahead_seconds', 'By how much the clock of the node is ahead of that of Postgres, at least.'),
    refusing: gauge('journal_refusing', 'Whether nothing would be taken into the journal; /health says why.'),
  }
  const clockCounters = {
    restamped: counter(
      'journal_restamped_total',
      'Accepted commands that went to the log under another dot and time than they were accepted under.',
    ),
    ignored: counter(
      'clock_ignored_total',
      'Times in the log so far ahead that no node was leased them, and that were not followed.',
    ),
  }
  const tentativeGauges = {
    others: gauge('tentative_others', 'Events that other nodes accepted without Postgres, shown here.'),
    waiting: gauge('tentative_waiting', 'Events of other nodes that are held back for what they rest on.'),
  }
  const tentativeCounters = {
    received: counter('tentative_messages_received_total', 'Messages about events that are not in the log yet.'),
    repairs: counter('tentative_repairs_total', 'How often another node lacked some of them and was sent them again.'),
  }
  const tentativeDropped = counter(
    'tentative_dropped_total',
    'What was not taken of other nodes; they bring it to the log all the same.',
    'reason',
  )
  const busCounters = {
    framesSent: counter('bus_frames_sent_total', 'Frames sent to other nodes.'),
    framesReceived: counter('bus_frames_received_total', 'Frames of other nodes that were heard.'),
    gaps: counter('bus_gaps_total', 'How often frames may have been missed and the log was asked.'),
  }
  const legacyBridging = gauge('legacy_redis_bridging', 'Whether this node keeps the Redis keys of 24.2.')
  const legacyCounters = {
    written: counter('legacy_redis_changes_total', 'Changes of the Redis keys of 24.2 that were written.'),
    failures: counter(
      'legacy_redis_failures_total',
      'How often keeping the Redis keys of 24.2 was broken off; it is begun anew.',
    ),
  }
  const dropped = counter(
    'bus_frames_dropped_total',
    'Frames that were thrown away; the log has their events.',
    'reason',
  )
  const liveGauges = {
    actors: gauge('live_actors', 'Actors whose live figures are held.'),
    nodes: gauge('live_nodes', 'Nodes that live, this one included, as it hears them.'),
  }
  const liveCounters = {
    writes: counter('live_writes_total', 'Live figures that were told here.'),
    applied: counter('live_applied_total', 'Live figures of other nodes that were new here.'),
    sent: counter('live_messages_sent_total', 'Messages of live figures to other nodes.'),
    received: counter('live_messages_received_total', 'Messages of other nodes, signs of life and digests included.'),
    malformed: counter('live_messages_malformed_total', 'Messages that were thrown away.'),
    refused: counter('live_refused_total', 'Live figures that were not taken.'),
    repairs: counter('live_repairs_total', 'Digests of other nodes that differed and were answered.'),
    flushes: counter('live_flushes_total', 'Events with live figures that this node put into the log.'),
  }
  const accountFigures = createAccountMetrics(node.accounts, { gauge, counter })
  incarnation.set(node.incarnation)
  const all = Registry.merge([processMetrics(), registry])

  const ask = async () => {
    requestsInFlight.set(inFlight())
    eventStreams.set(streams())
    accountFigures.ask()
    const live = node.liveStats()
    for (const part of ['actors', 'nodes'] as const) liveGauges[part].set(live[part])
    for (const part of Object.keys(liveCounters) as (keyof typeof liveCounters)[])
      setCounter(liveCounters[part], live[part])
    const { components } = await node.health()
    for (const [component, { status }] of Object.entries(components))
      componentOk.set({ component }, Number(status === 'ok'))
    for (const part of ['log', 'projections', 'actors', 'journal'] as const)
      for (const [figure, shown] of Object.entries(gauges[part])) setGauge(shown, components[part].detail[figure])
    const clock = node.actors.outage()?.clock
    setGauge(clockGauges.ahead, clock && clock.aheadMs / 1_000)
    setGauge(clockGauges.refusing, clock && Number(clock.refusing !== null))
    for (const part of ['restamped', 'ignored'] as const) setCounter(clockCounters[part], clock?.[part])
    const tentative = (components.actors.detail['tentative'] ?? {}) as Readonly<Record<string, unknown>>
    for (const [figure, shown] of Object.entries(tentativeGauges)) setGauge(shown, tentative[figure])
    for (const [figure, shown] of Object.entries(tentativeCounters)) setCounter(shown, tentative[figure])
    for (const reason of ['malformed', 'refused', 'dropped'])
      setCounter(tentativeDropped, tentative[reason], { reason })
    const bus = components.bus.detail
    for (const [figure, shown] of Object.entries(busCounters)) setCounter(shown, bus[figure])
    const legacy = (bus['legacy'] ?? {}) as Readonly<Record<string, unknown>>
    setGauge(legacyBridging, legacy['bridging'])
    for (const [figure, shown] of Object.entries(legacyCounters)) setCounter(shown, legacy[figure])
    for (const reason of Object.keys(noDrops())) setCounter(dropped, bus[reason], { reason: snakeCase(reason) })
  }

  return {
    contentType: all.contentType,
    answered(method, route = 'none', status, seconds) {
      requests.inc({ method, route, status })
      duration.observe({ method, route, status }, seconds)
    },
    async render() {
      await ask()
      return all.metrics()
    },
  }
}

let ofProcess: Registry | undefined

/** Made once: its observers stay for the life of the process, however many servers it has. */
function processMetrics(): Registry {
  if (ofProcess !== undefined) return ofProcess
  ofProcess = new Registry()
  collectDefaultMetrics({ register: ofProcess })
  // Gauges that are named like counters, and walk all handles.
  for (const { name } of ofProcess.getMetricsAsArray())
    if (/^nodejs_active_\w+$/.test(name)) ofProcess.removeSingleMetric(name)
  return ofProcess
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
