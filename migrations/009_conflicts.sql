-- What merging could not keep of both sides, and what was absorbed by the log. Written by projections alone.
create table conflicts (
  id bigint primary key,
  actor_type text not null,
  actor_id bigint not null,
  event_type text not null,
  -- The version the event was decided on, and the one it met.
  basis integer not null,
  version integer not null,
  strategy text not null,
  fields jsonb not null,
  winner text not null check (winner in ('log', 'event')),
  loser jsonb not null,
  also jsonb,
  status text not null check (status in ('open', 'settling', 'settled')),
  kept text check (kept in ('log', 'event')),
  node text not null,
  created_at timestamptz not null,
  settled_at timestamptz
);
create index conflicts_open on conflicts (id) where status = 'open';
create index conflicts_actor on conflicts (actor_type, actor_id);
create trigger refuse_direct_write before insert or update or delete or truncate on conflicts
  for each statement execute function refuse_direct_write();
