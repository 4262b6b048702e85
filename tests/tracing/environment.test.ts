/** What the standard variables turn on, and what they are forgiven. */
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

test.each([
  ['nothing is said', {}],
  ['only a service name is', { OTEL_SERVICE_NAME: 'edge' }],
  ['the SDK is disabled', { ...ENDPOINT, OTEL_SDK_DISABLED: 'TRUE' }],
  ['traces have no exporter', { ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
  ['the endpoint is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: ' ' }],
])('tracing is off where %s', (_, env) => {
  expect(loadConfig(env)).toMatchObject({ tracing: undefined, warnings: [] })
})

test.each([
  ['http://collector:4318', 'http://collector:4318/v1/traces'],
  ['https://collector/otlp/', 'https://collector/otlp/v1/traces'],
])('spans go below the common endpoint %s', (endpoint, url) => {
  expect(loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).tracing?.endpoint).toBe(url)
})

test('every variable takes its place, and those of traces come before the common ones', () => {
  expect(
    loadConfig({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://all:4318',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces/spans',
      OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '2000',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/all.pem',
      OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: '/traces.pem',
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/cert.pem',
      OTEL_EXPORTER_OTLP_CLIENT_KEY: '/key.pem',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_SERVICE_NAME: 'edge',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other, deployment.environment.name=a%2Cb',
    }),
  ).toMatchObject({
    tracing: {
      endpoint: 'https://traces/spans',
      timeoutMs: 2_000,
      tls: { ca: '/traces.pem', cert: '/cert.pem', key: '/key.pem' },
      sampler: 'parentbased_traceidratio',
      ratio: 0.25,
      attributes: { 'service.name': 'edge', 'deployment.environment.name': 'a,b' },
    },
    warnings: [],
  })
})

test.each([
  ['OTEL_TRACES_SAMPLER', 'xray'],
  ['OTEL_TRACES_SAMPLER_ARG', '2'],
  ['OTEL_TRACES_SAMPLER_ARG', 'half'],
  ['OTEL_EXPORTER_OTLP_TIMEOUT', '-1'],
  ['OTEL_RESOURCE_ATTRIBUTES', 'a=%zz'],
  ['OTEL_RESOURCE_ATTRIBUTES', 'no pair'],
])('a wrong %s is warned of and passed over', (name, value) => {
  const { tracing, warnings } = loadConfig({ ...ENDPOINT, [name]: value })
  expect(tracing).toEqual({ endpoint: 'http://collector:4318/v1/traces', attributes: {}, tls: {} })
  expect(warnings).toEqual([expect.stringContaining(name)])
})

test('an endpoint that cannot be one leaves tracing off, and its credentials unsaid', () => {
  const { tracing, warnings } = loadConfig({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'ftp://me:s3cret@collector' })
  expect(tracing).toBeUndefined()
  expect(warnings.join()).toContain('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  expect(warnings.join()).not.toContain('s3cret')
})

test('who asks for gRPC hears that spans go over HTTP', () => {
  const { tracing, warnings } = loadConfig({ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })
  expect(tracing).toBeDefined()
  expect(warnings).toEqual([expect.stringContaining('gRPC')])
})
