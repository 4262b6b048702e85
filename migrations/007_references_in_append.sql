-- append_checked again, which now also looks at the actors an append refers to: a look before the append would leave time
-- for them to go. What nodes of an older version send, without such references, it judges as before.

-- events: [{a, actor_type, actor_id, expected, version, type, schema_version, data, state, at, n, user_id, command_id,
--           causation, correlation, token}], keys without a value left out
--   a numbers the appends of the batch; an append's events share a and expected, and have versions expected+1, expected+2, …
-- extras: null, or [{a, op, …}] in which op is one of
--   lease    {name, token}                       the append is fenced unless the lease still carries the token
--   claim    {kind, key, actor_type, actor_id}   the append fails unless the key is free or already this actor's
--   release  {kind, key, actor_type, actor_id}
--   reference {actor_type, actor_id, gone_in}    the append fails unless that actor has events, and its newest left it in no
--                                                state of these, and within none
--   timer    {name, kind, due_at, payload, actor_type, actor_id}
--   cancel   {name, actor_type, actor_id}
--
-- Returns a row for each event of each append (outcome 'appended' or 'repeated', with its position), or one row for an
-- append that was refused: 'conflict', 'duplicate' (position: the event that spent the command id), 'claimed' (detail:
-- kind), 'missing' (detail: the first reference that failed, as type/id), 'fenced' (detail: lease name).
-- 'repeated' is an append of this very dot (incarnation, n) that is in the log already: a batch sent again after a lost
-- connection.
--
-- The caller holds the lock of append_batch, and sends each actor, each command id and each claim key at most once a batch,
-- and no append of an actor together with one that refers to it: all of a batch are judged on the log before it.
create or replace function append_checked(writer_node text, writer_incarnation bigint, events json, extras json)
returns table (a integer, outcome text, event_version integer, event_position bigint, detail text)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  return query
  with input as materialized (
    select * from json_to_recordset(append_checked.events) as r (
      a integer, actor_type text, actor_id bigint, expected integer, version integer, type text, schema_version smallint,
      data jsonb, state text, at timestamptz, n bigint, user_id bigint, command_id text,
      causation bigint, correlation text, token bigint)
  ),
  extra as materialized (
    select * from rows from (json_to_recordset(coalesce(append_checked.extras, '[]')) as (
      a integer, op text, name text, token bigint, kind text, key text, actor_type text, actor_id bigint,
      due_at timestamptz, payload jsonb, gone_in text[])) with ordinality
  ),
  -- Index probes are scalar subqueries, so that no table size makes the planner hash the whole log: it does so for
  -- joins and for exists (select …), by the size the table had when the connection first wrote.
  verdict as materialized (
    select i.*,
      (select s.position from events s where s.command_id = i.command_id) as spent_position,
      there.position as there_position,
      coalesce(there.incarnation = writer_incarnation and there.n = i.n, false) as mine,
      i.version = i.expected + 1 and i.expected > 0 and (
        select b.version from events b
        where b.actor_type = i.actor_type and b.actor_id = i.actor_id and b.version = i.expected
      ) is null as gap
    from input i
    left join lateral (
      select t.position, t.incarnation, t.n from events t
      where t.actor_type = i.actor_type and t.actor_id = i.actor_id and t.version = i.version
      offset 0
    ) there on true
  ),
  mine as materialized (
    select distinct v.a from verdict v where v.mine
  ),
  referred as materialized (
    select x.a, x.ordinality, x.actor_type, x.actor_id, x.gone_in, (
      select e.state from events e
      where e.actor_type = x.actor_type and e.actor_id = x.actor_id order by e.version desc limit 1
    ) as state
    from extra x where x.op = 'reference'
  ),
  -- What is in the log already is never refused: leases and claims may have changed hands since, and references may be gone.
  refused as materialized (
    select distinct on (a) a, outcome, position, detail from (
      select v.a, 1 as rank, null::bigint as place, 'duplicate' as outcome, v.spent_position as position, null as detail
        from verdict v where v.spent_position is not null and not v.mine
      union all
      select v.a, 2, null, 'conflict', null, null
        from verdict v where (v.there_position is not null and not v.mine) or v.gap
      union all
      select x.a, 3, x.ordinality, 'fenced', null, x.name
        from extra x left join leases l on l.name = x.name
        where x.op = 'lease' and l.token is distinct from x.token and not exists (select from mine m where m.a = x.a)
      union all
      -- A nested state is written as JSON that begins with its top: {"live":"recording"}.
      select f.a, 4, f.ordinality, 'missing', null, f.actor_type || '/' || f.actor_id
        from referred f
        where not exists (select from mine m where m.a = f.a) and (f.state is null or exists (
          select from unnest(f.gone_in) as gone (name)
          where f.state = gone.name or starts_with(f.state, '{' || to_json(gone.name)::text || ':')))
      union all
      select x.a, 5, x.ordinality, 'claimed', null, x.kind
        from extra x join claims c on (c.kind, c.key) = (x.kind, x.key)
        where x.op = 'claim' and (c.actor_type, c.actor_id) <> (x.actor_type, x.actor_id)
          and not exists (select from mine m where m.a = x.a)
    ) reasons order by a, rank, place
  ),
  inserted as (
    insert into events (actor_type, actor_id, version, type, schema_version, data, state, at, node, incarnation, n,
      user_id, command_id, causation, correlation, token)
    select v.actor_type, v.actor_id, v.version, v.type, v.schema_version, v.data, v.state, v.at, writer_node, writer_incarnation, v.n,
      v.user_id, v.command_id, v.causation, v.correlation, v.token
    from verdict v
    where not v.mine and not exists (select from refused r where r.a = v.a)
    order by v.a, v.version
    returning actor_type, actor_id, version, position
  ),
  -- Extras of appends that were written just now. By exclusion: what is excluded is nearly nothing, so that a batch of
  -- thousands of claims is not joined row by row.
  fresh as materialized (
    select x.* from extra x
    where not exists (select from refused r where r.a = x.a) and not exists (select from mine m where m.a = x.a)
  ),
  claimed as (
    insert into claims (kind, key, actor_type, actor_id)
    select x.kind, x.key, x.actor_type, x.actor_id from fresh x where x.op = 'claim'
    on conflict do nothing
  ),
  released as (
    delete from claims c using fresh x
    where x.op = 'release'
      and (c.kind, c.key, c.actor_type, c.actor_id) = (x.kind, x.key, x.actor_type, x.actor_id)
  ),
  set_timers as (
    insert into timers (actor_type, actor_id, name, kind, due_at, payload)
    select x.actor_type, x.actor_id, x.name, x.kind, x.due_at, x.payload from fresh x where x.op = 'timer'
    on conflict (actor_type, actor_id, name)
      do update set kind = excluded.kind, due_at = excluded.due_at, payload = excluded.payload, attempts = 0, taken_until = null
  ),
  cancelled as (
    delete from timers t using fresh x
    where x.op = 'cancel'
      and (t.actor_type, t.actor_id, t.name) = (x.actor_type, x.actor_id, x.name)
  )
  select i.a, 'appended', s.version, s.position, null::text
    from inserted s join input i using (actor_type, actor_id, version)
  union all
  select v.a, 'repeated', v.version, v.there_position, null
    from verdict v where v.mine
  union all
  select r.a, r.outcome, null, r.position, r.detail from refused r;
end
$$;
