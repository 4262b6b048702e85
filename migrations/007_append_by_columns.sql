-- append_batch again, with two changes. The events of a batch come as one array a column: reading them as JSON records
-- took Postgres more than half the time of writing them, arrays take a quarter of that. And append_checked also looks at
-- the actors an append refers to: a look before the append would leave time for them to go.
-- The append_batch of json stays for nodes of an older version and hands its batch over: the rules are here alone.

-- Events that a node accepted while it could not reach this log say where they come from.
-- What such an event keeps of it: the version it was decided on, its clock, the dot it was accepted under, and the data as it
-- was given where merging changed that. Null for every other event.
alter table events add column origin jsonb;

-- Element i of each array is event i of the batch; an array in which nothing would stand is null. data is a JSON array.
--   appends numbers the appends of the batch; an append's events share its number and `expected`, and have versions
--   expected+1, expected+2, …
-- extras: null, or [{a, op, …}] in which a is such a number and op is one of
--   lease    {name, token}                       the append is fenced unless the lease still carries the token
--   claim    {kind, key, actor_type, actor_id}   the append fails unless the key is free or already this actor's
--   release  {kind, key, actor_type, actor_id}
--   reference {actor_type, actor_id, gone_in}    the append fails unless that actor has events, and its newest left it in no
--                                                state of these, and within none
--   timer    {name, kind, due_at, payload, actor_type, actor_id}
--   cancel   {name, actor_type, actor_id}
--   origin   {origin}                            for the only event of the append
--
-- Returns a row for each event of each append (outcome 'appended' or 'repeated', with its position), or one row for an
-- append that was refused: 'conflict', 'duplicate' (position: the event that spent the command id), 'claimed' (detail:
-- kind), 'missing' (detail: the first reference that failed, as type/id), 'fenced' (detail: lease name).
-- 'repeated' is an append of this very dot (incarnation, n) that is in the log already: a batch sent again after a lost
-- connection.
--
-- The caller holds the lock of append_batch, and sends each actor, each command id and each claim key at most once a batch,
-- and no append of an actor together with one that refers to it: all of a batch are judged on the log before it.
create function append_checked(writer_node text, writer_incarnation bigint, appends integer[], actor_types text[],
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
    select x.a, x.origin from extra x where x.op = 'origin'
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

-- One group commit: as append_checked, but where everything was appended there is a single row without a: the first event
-- has this position, and each that follows has the next. A scan of a function gives its rows in their order, and the
-- insert numbers them as they come: to sort them before would cost a sixth of the whole.
create function append_batch(writer_node text, writer_incarnation bigint, appends integer[], actor_types text[],
  actor_ids bigint[], expected integer[], versions integer[], types text[], schema_versions smallint[], states text[],
  times timestamptz[], numbers bigint[], user_ids bigint[], command_ids text[], causations bigint[], correlations text[],
  tokens bigint[], data jsonb, extras json)
returns table (a integer, outcome text, event_version integer, event_position bigint, detail text)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  first bigint;
  last bigint;
  written bigint;
begin
  -- Positions become visible in the order in which they are given out: readers need one number and see no gaps fill up.
  -- The lock comes before the statements below, so that their snapshots contain every earlier batch.
  perform pg_advisory_xact_lock(7236112046017);

  if extras is null then
    begin
      with inserted as (
        insert into events (actor_type, actor_id, version, type, schema_version, data, state, at, node, incarnation, n,
          user_id, command_id, causation, correlation, token)
        select i.actor_type, i.actor_id, i.version, i.type, i.schema_version, i.data, i.state, i.at, writer_node,
          writer_incarnation, i.n, i.user_id, i.command_id, i.causation, i.correlation, i.token
        from rows from (
          unnest(actor_types, actor_ids, append_batch.expected, versions, types, schema_versions, states, times, numbers,
            user_ids, command_ids, causations, correlations, tokens),
          jsonb_array_elements(append_batch.data)
        ) as i (actor_type, actor_id, expected, version, type, schema_version, state, at, n, user_id, command_id, causation,
          correlation, token, data)
        -- A version the log does not have is left out here, and found missing below.
        where i.expected = 0 or i.version > i.expected + 1 or (
          select b.version from events b
          where b.actor_type = i.actor_type and b.actor_id = i.actor_id and b.version = i.expected
        ) is not null
        returning position
      )
      select min(i.position), max(i.position), count(*) from inserted i into first, last, written;
      if written <> cardinality(appends) or last - first <> written - 1 then
        raise unique_violation;
      end if;
      return query select null::integer, 'appended', null::integer, first, null::text;
      return;
    exception when unique_violation then
      -- Versions or command ids that are in the log already.
    end;
  else
    -- A lease does not change hands while an append is written under it: whoever takes it next finds that append in the log.
    perform from leases l
      where l.name in (select x.name from json_to_recordset(extras) as x (op text, name text) where x.op = 'lease')
      for share;
  end if;
  return query select * from append_checked(writer_node, writer_incarnation, appends, actor_types, actor_ids,
    append_batch.expected, versions, types, schema_versions, states, times, numbers, user_ids, command_ids, causations,
    correlations, tokens, append_batch.data, append_batch.extras);
end
$$;

create or replace function append_batch(writer_node text, writer_incarnation bigint, event_count bigint, events json,
  extras json)
returns table (a integer, outcome text, event_version integer, event_position bigint, detail text)
language sql
as $$
  select b.* from (
    select array_agg(i.a) as appends, array_agg(i.actor_type) as actor_types, array_agg(i.actor_id) as actor_ids,
      array_agg(i.expected) as expected, array_agg(i.version) as versions, array_agg(i.type) as types,
      array_agg(i.schema_version) as schema_versions, array_agg(i.state) as states, array_agg(i.at) as times,
      array_agg(i.n) as numbers, array_agg(i.user_id) as user_ids, array_agg(i.command_id) as command_ids,
      array_agg(i.causation) as causations, array_agg(i.correlation) as correlations, array_agg(i.token) as tokens,
      jsonb_agg(i.data) as data
    from json_to_recordset(append_batch.events) as i (
      a integer, actor_type text, actor_id bigint, expected integer, version integer, type text, schema_version smallint,
      data jsonb, state text, at timestamptz, n bigint, user_id bigint, command_id text, causation bigint,
      correlation text, token bigint)
  ) c, append_batch(writer_node, writer_incarnation, c.appends, c.actor_types, c.actor_ids, c.expected, c.versions,
    c.types, c.schema_versions, c.states, c.times, c.numbers, c.user_ids, c.command_ids, c.causations, c.correlations,
    c.tokens, c.data, append_batch.extras) b
$$;

drop function append_checked(text, bigint, json, json);
