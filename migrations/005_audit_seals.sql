-- Seals over the log: each names a range of it by a hash, and the seal before it by its hash.

create table audit_seals (
  number bigint primary key check (number > 0),
  -- The seal covers what lies after the last position of the seal before it, up to its own.
  first_position bigint not null,
  last_position bigint not null check (last_position >= first_position),
  events integer not null check (events > 0),
  events_hash bytea not null,
  -- For each event the distance from the first position and the start of its digest, four bytes each: finds what was changed.
  marks bytea not null,
  previous_hash bytea not null,
  sealed_at timestamptz not null,
  hash bytea not null
);
-- Hashes do not compress.
alter table audit_seals alter column marks set storage external;

-- By statement and not on insert, so that an append pays nothing for it.
create function refuse_rewrite() returns trigger language plpgsql as $$
begin
  if current_setting('rootstream.rewrite_history', true) is distinct from 'on' then
    raise exception '% is append-only: what is written stays as it is', tg_table_name
      using errcode = 'RS003', hint = 'Nothing was changed. What must change is said by a new event.';
  end if;
  return null;
end
$$;

create trigger refuse_rewrite before update or delete or truncate on events
  for each statement execute function refuse_rewrite();
create trigger refuse_rewrite before update or delete or truncate on audit_seals
  for each statement execute function refuse_rewrite();
