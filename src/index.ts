/** RootStream Runtime: what a program that embeds a node may use. */

export type { Accounts } from './accounts/accounts.ts'
export type { AccountView, Administration } from './accounts/administration.ts'
export { ACCOUNT_REFUSALS, type AccountRefusal, type AccountRefusalReason } from './accounts/answers.ts'
export type { Client } from './accounts/client.ts'
export type { Erasure, ErasureOptions } from './accounts/erasure.ts'
export type { AccountStats } from './accounts/figures.ts'
export { PERMISSIONS, type Permission } from './accounts/permissions.ts'
export { ACCOUNT_DEFAULTS, type AccountSettings } from './accounts/settings.ts'
export type { ActorHandle, ActorSystem, ActorView, StateOptions } from './actors/api.ts'
export type { CommandOptions } from './actors/command.ts'
export { createNode, type RuntimeNode } from './app.ts'
export type { Auditor, SealingStatus } from './audit/auditor.ts'
export type { Finding, FindingKind } from './audit/findings.ts'
export type { AuditReport } from './audit/verify.ts'
export { AppError, ERRORS, type ErrorCode } from './core/errors.ts'
export type { LogEvent, NewEvent } from './core/event.ts'
export { type ActorId, type ActorRef, actorRef, formatActorRef, parseActorRef } from './core/ids.ts'
export type { Json, JsonObject } from './core/json.ts'
export type { AuditPage, AuditQuery, Clock, EventStore, Lease, Logger, StreamRange } from './core/ports.ts'
export type { Accepted, CommandResult, Refusal, RefusalReason } from './core/result.ts'
export type { SealSummary } from './core/seal.ts'
export type { ActorState, StateValue } from './core/state.ts'
export type { ComponentHealth, HealthReport } from './health.ts'
export type { LiveHandle, LiveStats, LiveWrites } from './live/api.ts'
export type { LiveChange } from './live/changes.ts'
export {
  defineEntity,
  type Effect,
  type EffectContext,
  type EntityDefinition,
  event,
  type OutgoingEvent,
  type Row,
  type View,
} from './machines/define.ts'
export { entities } from './machines/index.ts'
export type { LiveDefinition, LiveField, LiveValue, LiveValues } from './machines/live-fields.ts'
export type { NodeOptions } from './node-options.ts'
export { type ActorDelta, applyDelta, type DeltaEvent, maskDelta, parseDelta } from './snapshots/delta.ts'
export { type ActorSnapshot, maskSnapshot, parseSnapshot } from './snapshots/snapshot.ts'
export { decodeSnapshot, encodeSnapshot } from './snapshots/snapshot-bytes.ts'
export { createInProcessHub, type InProcessHub } from './sync/in-process-bus.ts'
export type { TentativeStats } from './tentative/api.ts'
export type { TracerProvider, TracingOptions } from './tracing/tracing-options.ts'
