-- The read tables: the nine tables of RootStream 24.2, by name and column, made here or adopted as they are.
-- Seven are written by projections; event_log and snapshots hold what 24.2 wrote and are kept as they were.

do $$
declare
  present text[];
  missing text;
begin
  select array_agg(c.relname::text) into present
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    and c.relname in ('users', 'sessions', 'streams', 'stream_sessions', 'recordings', 'usage_logs',
      'billing_accounts', 'event_log', 'snapshots');

  if present is null then
    create table users (
      id serial primary key,
      username varchar(255) not null unique,
      email varchar(255) not null unique,
      password_hash varchar(255) not null,
      display_name varchar(255),
      avatar_url varchar(512),
      is_verified boolean default false,
      is_active boolean default true,
      created_at timestamp default now(),
      updated_at timestamp default now(),
      last_login_at timestamp,
      constraint email_format check (email ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$')
    );
    create table sessions (
      id serial primary key,
      user_id integer not null,
      session_token varchar(512) not null unique,
      device_id varchar(255),
      user_agent text,
      ip_address inet,
      expires_at timestamp not null,
      created_at timestamp default now(),
      last_activity timestamp default now(),
      is_active boolean default true,
      constraint valid_expiration check (expires_at > created_at)
    );
    create table streams (
      id serial primary key,
      user_id integer not null,
      name varchar(255) not null,
      description text,
      stream_key varchar(512) not null unique,
      stream_url varchar(512),
      thumbnail_url varchar(512),
      is_live boolean default false,
      viewer_count integer default 0,
      bitrate_kbps integer,
      resolution varchar(50),
      fps integer,
      codec varchar(50),
      is_public boolean default true,
      created_at timestamp default now(),
      updated_at timestamp default now(),
      started_at timestamp,
      ended_at timestamp
    );
    create table stream_sessions (
      id serial primary key,
      stream_id integer not null,
      session_start timestamp not null,
      session_end timestamp,
      total_viewers integer default 0,
      peak_viewers integer default 0,
      total_bytes_sent bigint default 0,
      duration_seconds integer,
      is_recorded boolean default false,
      recording_path varchar(512),
      constraint valid_session_times check (session_end is null or session_end > session_start)
    );
    create table recordings (
      id serial primary key,
      stream_id integer not null,
      session_id integer not null,
      file_path varchar(512) not null,
      file_size_bytes bigint,
      duration_seconds integer,
      codec varchar(50),
      resolution varchar(50),
      fps integer,
      bitrate_kbps integer,
      is_processed boolean default false,
      is_available boolean default true,
      created_at timestamp default now(),
      expires_at timestamp,
      constraint valid_file_size check (file_size_bytes is null or file_size_bytes > 0)
    );
    create table usage_logs (
      id bigserial primary key,
      user_id integer not null,
      stream_id integer,
      event_type varchar(50) not null,
      bytes_transferred bigint default 0,
      duration_seconds integer default 0,
      created_at timestamp default now()
    );
    create table billing_accounts (
      id serial primary key,
      user_id integer not null unique,
      payment_method varchar(50),
      subscription_tier varchar(50),
      monthly_limit_gb integer,
      created_at timestamp default now(),
      updated_at timestamp default now()
    );
    create table event_log (
      id bigserial primary key,
      aggregate_type varchar(50),
      aggregate_id integer,
      event_type varchar(100),
      event_data jsonb not null,
      timestamp timestamp default now(),
      version integer,
      user_id integer
    );
    create table snapshots (
      id bigserial primary key,
      aggregate_type varchar(50),
      aggregate_id integer,
      version integer,
      state jsonb not null,
      created_at timestamp default now(),
      unique (aggregate_type, aggregate_id, version)
    );
    create index idx_sessions_user_id on sessions (user_id);
    create index idx_streams_user_id on streams (user_id);
    create index idx_stream_sessions_stream_id on stream_sessions (stream_id);
    create index idx_recordings_stream_id on recordings (stream_id);
    create index idx_usage_logs_user_id on usage_logs (user_id);
    create index idx_event_log_aggregate on event_log (aggregate_type, aggregate_id);
  else
    -- A half-made or foreign schema is not guessed at: every column that is read or written must be there.
    -- Asked of the catalog, because information_schema hides what the role has no right to.
    select string_agg(format('%s.%s %s', w.t, w.c, w.type), ', ' order by w.t, w.c) into missing
    from (values
      ('users', 'id', 'integer'), ('users', 'username', 'character varying'), ('users', 'email', 'character varying'),
      ('users', 'password_hash', 'character varying'), ('users', 'display_name', 'character varying'),
      ('users', 'avatar_url', 'character varying'), ('users', 'is_verified', 'boolean'), ('users', 'is_active', 'boolean'),
      ('users', 'created_at', 'timestamp without time zone'), ('users', 'updated_at', 'timestamp without time zone'),
      ('users', 'last_login_at', 'timestamp without time zone'),
      ('sessions', 'id', 'integer'), ('sessions', 'user_id', 'integer'), ('sessions', 'session_token', 'character varying'),
      ('sessions', 'device_id', 'character varying'), ('sessions', 'user_agent', 'text'), ('sessions', 'ip_address', 'inet'),
      ('sessions', 'expires_at', 'timestamp without time zone'), ('sessions', 'created_at', 'timestamp without time zone'),
      ('sessions', 'last_activity', 'timestamp without time zone'), ('sessions', 'is_active', 'boolean'),
      ('streams', 'id', 'integer'), ('streams', 'user_id', 'integer'), ('streams', 'name', 'character varying'),
      ('streams', 'description', 'text'), ('streams', 'stream_key', 'character varying'),
      ('streams', 'stream_url', 'character varying'), ('streams', 'thumbnail_url', 'character varying'),
      ('streams', 'is_live', 'boolean'), ('streams', 'viewer_count', 'integer'), ('streams', 'bitrate_kbps', 'integer'),
      ('streams', 'resolution', 'character varying'), ('streams', 'fps', 'integer'), ('streams', 'codec', 'character varying'),
      ('streams', 'is_public', 'boolean'), ('streams', 'created_at', 'timestamp without time zone'),
      ('streams', 'updated_at', 'timestamp without time zone'), ('streams', 'started_at', 'timestamp without time zone'),
      ('streams', 'ended_at', 'timestamp without time zone'),
      ('stream_sessions', 'id', 'integer'), ('stream_sessions', 'stream_id', 'integer'),
      ('stream_sessions', 'session_start', 'timestamp without time zone'),
      ('stream_sessions', 'session_end', 'timestamp without time zone'), ('stream_sessions', 'total_viewers', 'integer'),
      ('stream_sessions', 'peak_viewers', 'integer'), ('stream_sessions', 'total_bytes_sent', 'bigint'),
      ('stream_sessions', 'duration_seconds', 'integer'), ('stream_sessions', 'is_recorded', 'boolean'),
      ('stream_sessions', 'recording_path', 'character varying'),
      ('recordings', 'id', 'integer'), ('recordings', 'stream_id', 'integer'), ('recordings', 'session_id', 'integer'),
      ('recordings', 'file_path', 'character varying'), ('recordings', 'file_size_bytes', 'bigint'),
      ('recordings', 'duration_seconds', 'integer'), ('recordings', 'codec', 'character varying'),
      ('recordings', 'resolution', 'character varying'), ('recordings', 'fps', 'integer'),
      ('recordings', 'bitrate_kbps', 'integer'), ('recordings', 'is_processed', 'boolean'),
      ('recordings', 'is_available', 'boolean'), ('recordings', 'created_at', 'timestamp without time zone'),
      ('recordings', 'expires_at', 'timestamp without time zone'),
      ('usage_logs', 'id', 'bigint'), ('usage_logs', 'user_id', 'integer'), ('usage_logs', 'stream_id', 'integer'),
      ('usage_logs', 'event_type', 'character varying'), ('usage_logs', 'bytes_transferred', 'bigint'),
      ('usage_logs', 'duration_seconds', 'integer'), ('usage_logs', 'created_at', 'timestamp without time zone'),
      ('billing_accounts', 'id', 'integer'), ('billing_accounts', 'user_id', 'integer'),
      ('billing_accounts', 'payment_method', 'character varying'),
      ('billing_accounts', 'subscription_tier', 'character varying'), ('billing_accounts', 'monthly_limit_gb', 'integer'),
      ('billing_accounts', 'created_at', 'timestamp without time zone'),
      ('billing_accounts', 'updated_at', 'timestamp without time zone'),
      ('event_log', 'id', 'bigint'), ('event_log', 'aggregate_type', 'character varying'),
      ('event_log', 'aggregate_id', 'integer'), ('event_log', 'event_type', 'character varying'),
      ('event_log', 'event_data', 'jsonb'), ('event_log', 'timestamp', 'timestamp without time zone'),
      ('event_log', 'version', 'integer'), ('event_log', 'user_id', 'integer'),
      ('snapshots', 'id', 'bigint'), ('snapshots', 'aggregate_type', 'character varying'),
      ('snapshots', 'aggregate_id', 'integer'), ('snapshots', 'version', 'integer'), ('snapshots', 'state', 'jsonb'),
      ('snapshots', 'created_at', 'timestamp without time zone')
    ) as w (t, c, type)
    where not exists (
      select from pg_attribute k
      where k.attrelid = to_regclass('public.' || w.t) and k.attname = w.c and not k.attisdropped
        and format_type(k.atttypid, null) = w.type
    );
    if missing is not null then
      raise exception 'this is no RootStream 24.2 database: it lacks %', missing
        using errcode = 'RS002', hint = 'Nothing was changed. Complete the 24.2 schema, or use an empty database.';
    end if;
  end if;
end
$$;
