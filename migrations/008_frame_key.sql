-- The key with which the nodes of this log sign what they tell each other over Redis: 244 random bits. Whoever may read it
-- can speak for a node, so it lies apart from what readers of the tables are given.
create table frame_key (
  only_one boolean primary key default true check (only_one),
  key text not null default gen_random_uuid()::text || gen_random_uuid()::text
);
insert into frame_key default values;
revoke all on frame_key from public;
