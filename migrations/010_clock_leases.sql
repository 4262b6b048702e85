-- What the log knows of the clocks and journals of its nodes, and which starts of them are over.

-- Milliseconds since the epoch where they are times of hybrid clocks. All but the seal is null for a start without a journal.
alter table incarnations
  -- Which journal it writes: a start with the same one follows on it, any other may have lost what it held.
  add column journal uuid,
  -- No stamp of this start is at or beyond it.
  add column clock_ceiling bigint,
  -- The last stamp it is known to have given out: a journal that does not reach so far is an older copy.
  add column clock_last bigint,
  -- Renewed with the ceiling.
  add column alive_until timestamptz,
  -- The last number under which something it accepted beside the log is in the log.
  add column logged_n bigint,
  -- It is over: what it is said to have accepted under later numbers is refused.
  add column sealed_n bigint,
  add column sealed_at timestamptz;

update incarnations i set logged_n = o.n
from (
  select origin ->> 'node' as node, (origin ->> 'incarnation')::bigint as incarnation, max((origin ->> 'n')::bigint) as n
  from events where origin is not null group by 1, 2
) o
where i.incarnation = o.incarnation and i.node = o.node;

create index incarnations_open on incarnations (node, incarnation) where sealed_at is null;
create index incarnations_ceiling on incarnations (clock_ceiling);

-- append_checked again: it also answers 'sealed' (detail: node#incarnation) for an event whose origin is a dot beyond the seal
-- of its start, and notes the last dot of each start that it has written. An append without an origin pays for neither.
create or replace function append_checked(writer_node text, writer_incarnation bigint, appends integer[], actor_types text[],
  actor_ids bigint[], expected integer[], versions integer[], types text[], schema_versions smallint[], states text[],
  times timestamptz[], numbers bigint[], user_ids bigint[], command_ids text[], causations bigint[], correlations text[],
  tokens bigint[], data jsonb, extras json)
returns table (a integer, outcome text, event_version integer, event_position bigint, detail text)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  return query
  with input as materialized (
    select * from rows from (
      unnest(appends, actor_types, actor_ids, append_checked.expected, versions, types, schema_versions, states, times,
        numbers, user_ids, command_ids, causations, correlations, tokens),
      jsonb_array_elements(append_checked.data)
    ) as r (a, actor_type, actor_id, expected, version, type, schema_version, state, at, n, user_id, command_id, causation,
      correlation, token, data)
  ),
  extra as materialized (
    select * from rows from (json_to_recordset(coalesce(append_checked.extras, '[]')) as (
      a integer, op text, name text, token bigint, kind text, key text, actor_type text, actor_id bigint,
      due_at timestamptz, payload jsonb, gone_in text[], origin jsonb)) with ordinality
  ),
  -- Apart from the other extras: it is nearly always empty, and then costs the insert nothing.
  origins as materialized (
    select x.a, x.origin, x.origin ->> 'node' as node, (x.origin ->> 'incarnation')::bigint as incarnation,
      (x.origin ->> 'n')::bigint as n
    from extra x where x.op = 'origin'
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
      select o.a, 3, null, 'sealed', null, s.node || '#' || s.incarnation
        from origins o join incarnations s on s.incarnation = o.incarnation and s.node = o.node
        where s.sealed_n < o.n and not exists (select from mine m where m.a = o.a)
      union all
      select x.a, 4, x.ordinality, 'fenced', null, x.name
        from extra x left join leases l on l.name = x.name
        where x.op = 'lease' and l.token is distinct from x.token and not exists (select from mine m where m.a = x.a)
      union all
      -- A nested state is written as JSON that begins with its top: {"live":"recording"}.
      select f.a, 5, f.ordinality, 'missing', null, f.actor_type || '/' || f.actor_id
        from referred f
        where not exists (select from mine m where m.a = f.a) and (f.state is null or exists (
          select from unnest(f.gone_in) as gone (name)
          where f.state = gone.name or starts_with(f.state, '{' || to_json(gone.name)::text || ':')))
      union all
      select x.a, 6, x.ordinality, 'claimed', null, x.kind
        from extra x join claims c on (c.kind, c.key) = (x.kind, x.key)
        where x.op = 'claim' and (c.actor_type, c.actor_id) <> (x.actor_type, x.actor_id)
          and not exists (select from mine m where m.a = x.a)
    ) reasons order by a, rank, place
  ),
  inserted as (
    insert into events (actor_type, actor_id, version, type, schema_version, data, state, at, node, incarnation, n,
      user_id, command_id, causation, correlation, token, origin)
    select v.actor_type, v.actor_id, v.version, v.type, v.schema_version, v.data, v.state, v.at, writer_node, writer_incarnation, v.n,
      v.user_id, v.command_id, v.causation, v.correlation, v.token, (select o.origin from origins o where o.a = v.a)
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
  logged as (
    update incarnations s set logged_n = greatest(s.logged_n, w.n)
    from (
      select o.node, o.incarnation, max(o.n) as n from origins o
      where not exists (select from refused r where r.a = o.a) and not exists (select from mine m where m.a = o.a)
      group by 1, 2
    ) w
    where s.incarnation = w.incarnation and s.node = w.node
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
