-- The event log: what happened, in the order in which it became visible.

create table events (
  position bigint generated always as identity primary key,
  actor_type text not null,
  actor_id bigint not null,
  version integer not null check (version > 0),
  type text not null,
  schema_version smallint not null,
  data jsonb not null,
  state text not null,
  at timestamptz not null,
  node text not null,
  incarnation bigint not null,
  n bigint not null,
  user_id bigint,
  command_id text,
  causation bigint,
  correlation text,
  token bigint
);
-- A stream has one event at each version: the expected version of an append rests on this.
create unique index events_stream on events (actor_type, actor_id, version);
-- A command id is spent once in the whole log: a retry finds the first outcome, on any node.
create unique index events_command on events (command_id) where command_id is not null;
-- Audit questions: by user, by type, by time (nearly ordered by position, so a block range index is enough).
create index events_user on events (user_id, position) where user_id is not null;
create index events_type on events (type, position);
create index events_at on events using brin (at) with (autosummarize = on);

-- Names this log, however it is reached: nodes that share it hear each other.
create table installation (
  only_one boolean primary key default true check (only_one),
  id uuid not null default gen_random_uuid()
);
insert into installation default values;

-- One row for each start of a node. (incarnation, n) is the dot: the identity of an append across resends.
create table incarnations (
  incarnation bigint generated always as identity primary key,
  node text not null,
  started_at timestamptz not null
);

create table actor_snapshots (
  actor_type text not null,
  actor_id bigint not null,
  version integer not null,
  state_version integer not null,
  state jsonb not null,
  at timestamptz not null,
  primary key (actor_type, actor_id)
);

-- Names that only one actor may hold (username, email, stream key), taken in the transaction of the event.
create table claims (
  kind text not null,
  key text not null,
  actor_type text not null,
  actor_id bigint not null,
  primary key (kind, key)
);
create index claims_actor on claims (actor_type, actor_id);

-- Due events and unfinished effects. A row leaves in the transaction of the event that settles it.
create table timers (
  actor_type text not null,
  actor_id bigint not null,
  name text not null,
  kind text not null check (kind in ('event', 'effect')),
  due_at timestamptz not null,
  payload jsonb not null,
  attempts integer not null default 0,
  -- A node that took the timer keeps it from the others until then. due_at stays: it tells whether it was set anew meanwhile.
  taken_until timestamptz,
  primary key (actor_type, actor_id, name)
);
create index timers_due on timers (due_at) where taken_until is null;
create index timers_taken on timers (taken_until) where taken_until is not null;

-- One owner at a time. The token grows with each new owner: an append that carries an older one is refused.
create table leases (
  name text primary key,
  holder text not null,
  token bigint not null,
  expires_at timestamptz not null
);

-- Blocks of ids are handed to nodes, so that a new actor costs no round trip.
create table id_blocks (
  actor_type text primary key,
  next_id bigint not null check (next_id > 0)
);

create table projection_checkpoints (
  name text primary key,
  position bigint not null default 0,
  updated_at timestamptz not null default now()
);

create table projection_failures (
  projection text not null,
  actor_type text not null,
  actor_id bigint not null,
  position bigint not null,
  error text not null,
  failed_at timestamptz not null default now(),
  primary key (projection, actor_type, actor_id)
);
