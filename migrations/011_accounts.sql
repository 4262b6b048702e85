-- What 24.3 keeps of accounts, by its names: more columns of sessions, factors, attempts to show one, trusted devices.
alter table sessions
  add column if not exists device_fingerprint varchar(255),
  add column if not exists geo_location varchar(100),
  add column if not exists is_remembered boolean default false;
-- Few of all sessions are open: those at rest are found without a look at the others.
create index if not exists idx_sessions_open on sessions (id) where is_active;

create table user_mfa (
  id integer primary key,
  user_id integer not null,
  method varchar(50) not null,
  secret varchar(2000) not null,
  is_enabled boolean default true,
  backup_codes jsonb,
  created_at timestamp default now(),
  last_used_at timestamp,
  constraint user_mfa_once unique (user_id, method) deferrable initially deferred
);
create index idx_user_mfa_user_id on user_mfa (user_id);
create trigger refuse_direct_write before insert or update or delete or truncate on user_mfa
  for each statement execute function refuse_direct_write();

create table mfa_attempts (
  id bigint primary key,
  user_id integer not null,
  method varchar(50) not null,
  success boolean not null,
  ip_address inet,
  attempted_at timestamp default now()
);
create index idx_mfa_attempts_user_id on mfa_attempts (user_id);
create trigger refuse_direct_write before insert or update or delete or truncate on mfa_attempts
  for each statement execute function refuse_direct_write();

create table trusted_devices (
  id bigint primary key,
  user_id integer not null,
  token_hash text not null,
  label text not null,
  device_fingerprint text,
  created_at timestamptz not null,
  last_used_at timestamptz,
  expires_at timestamptz not null
);
create index trusted_devices_user on trusted_devices (user_id);
create trigger refuse_direct_write before insert or update or delete or truncate on trusted_devices
  for each statement execute function refuse_direct_write();

-- What names and short codes are hashed with, sealed under the key ring that all nodes of this log share: a node that
-- cannot open it has another ring.
create table naming_key (
  only_one boolean primary key default true check (only_one),
  sealed text not null
);
revoke all on naming_key from public;
