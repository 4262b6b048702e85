-- The keys under which the log keeps what is about people, one for each user, themselves sealed by the key ring of the
-- nodes. Without its key, what an event says of a user cannot be read again: destroying it is how a user is erased from a
-- log that never changes.
create table personal_keys (
  user_id bigint primary key,
  -- Null where it was destroyed: nobody gets a new one under that id.
  wrapped text,
  created_at timestamptz not null default now(),
  destroyed_at timestamptz,
  constraint personal_keys_one_end check ((wrapped is null) = (destroyed_at is not null))
);
revoke all on personal_keys from public;

-- Whose the fields are that a conflict keeps.
alter table conflicts add column subject bigint;
create index conflicts_subject on conflicts (subject) where subject is not null;
