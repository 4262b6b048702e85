-- Makes tables that were the truth into read tables. No row is touched.

-- Foreign keys between them go: a projection must be able to write any actor at any time, and what a cascade did is an
-- event now. The triggers that stamped updated_at go too: the time of a change is the time of its event.
do $$
declare
  found record;
begin
  for found in
    select c.conname, c.conrelid::regclass as relation
    from pg_constraint c
    where c.contype = 'f'
      and c.conrelid in ('users'::regclass, 'sessions'::regclass, 'streams'::regclass, 'stream_sessions'::regclass,
        'recordings'::regclass, 'usage_logs'::regclass, 'billing_accounts'::regclass, 'event_log'::regclass, 'snapshots'::regclass)
      and c.confrelid in ('users'::regclass, 'sessions'::regclass, 'streams'::regclass, 'stream_sessions'::regclass,
        'recordings'::regclass, 'usage_logs'::regclass, 'billing_accounts'::regclass, 'event_log'::regclass, 'snapshots'::regclass)
  loop
    execute format('alter table %s drop constraint %I', found.relation, found.conname);
  end loop;

  for found in
    select t.tgname, t.tgrelid::regclass as relation
    from pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where p.proname = 'update_updated_at_column' and not t.tgisinternal
      and t.tgrelid in ('users'::regclass, 'streams'::regclass, 'billing_accounts'::regclass)
  loop
    execute format('drop trigger %I on %s', found.tgname, found.relation);
  end loop;

  -- Two actors may exchange a unique name within one page of the log: it is checked when the page is written.
  for found in
    select c.conname, c.conrelid::regclass as relation,
      (select string_agg(quote_ident(a.attname), ', ' order by k.ordinality)
        from unnest(c.conkey) with ordinality k (attnum, ordinality)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum) as columns
    from pg_constraint c
    where c.contype = 'u' and not c.condeferrable
      and c.conrelid in ('users'::regclass, 'sessions'::regclass, 'streams'::regclass, 'billing_accounts'::regclass)
  loop
    execute format('alter table %s drop constraint %I', found.relation, found.conname);
    execute format('alter table %s add constraint %I unique (%s) deferrable initially deferred',
      found.relation, found.conname, found.columns);
  end loop;

  if exists (select from pg_proc where proname = 'update_updated_at_column' and pronamespace = 'public'::regnamespace)
    and not exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid where p.proname = 'update_updated_at_column')
  then
    drop function update_updated_at_column();
  end if;
end
$$;

create function refuse_direct_write() returns trigger language plpgsql as $$
begin
  if current_setting('rootstream.projector', true) is distinct from 'on' then
    raise exception '% is a read table: it is written from the event log alone', tg_table_name
      using errcode = 'RS001',
        hint = 'Nothing was changed. Send a command instead: rootstream actors send, or POST /v1/actors/{type}/{id}/commands.';
  end if;
  return null;
end
$$;

do $$
declare
  name text;
begin
  foreach name in array array['users', 'sessions', 'streams', 'stream_sessions', 'recordings', 'usage_logs',
    'billing_accounts', 'event_log', 'snapshots']
  loop
    execute format('create trigger refuse_direct_write before insert or update or delete or truncate on %I '
      'for each statement execute function refuse_direct_write()', name);
  end loop;
end
$$;

-- Rows of the 24.2 event_log that have no place in an order, found by import. They stay readable where they are.
create table legacy_event_quarantine (
  event_log_id bigint primary key,
  reason text not null check (reason in ('no version', 'version not positive', 'version repeated', 'no aggregate')),
  found_at timestamptz not null default now()
);

-- New actors get ids above every row that is there, imported yet or not.
insert into id_blocks (actor_type, next_id)
select actor_type, highest + 1
from (
  select 'user' as actor_type, coalesce(max(id), 0)::bigint as highest from users
  union all select 'session', coalesce(max(id), 0) from sessions
  union all select 'stream', coalesce(max(id), 0) from streams
  union all select 'broadcast', coalesce(max(id), 0) from stream_sessions
  union all select 'recording', coalesce(max(id), 0) from recordings
  union all select 'usage', coalesce(max(id), 0) from usage_logs
  union all select 'billing', coalesce(max(id), 0) from billing_accounts
) existing;
