"""The ledger's own tables, as migrations: the same in every service's database, and first in each.

`events` is append-only and the truth; everything else can be derived from it, is on its way out, or says how far we are.
Texts that are sorted or searched by prefix are collated by code point, as Python sorts them.
"""

LEDGER = """
create table events (
    stream text collate "C" not null,
    version bigint not null,
    seq bigint generated always as identity,
    topic text not null,
    key text not null,
    type text not null,
    body bytea,
    primary key (stream, version)
);
create unique index events_seq on events (seq);

-- Only numbers: what waits for the broker stays narrow, and is vacuumed before it grows.
create table outbox (
    seq bigint primary key,
    at timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

create table streams (
    stream text collate "C" primary key,
    version bigint not null default 0,
    state bytea,
    state_rev integer not null default 0,
    due_at timestamptz,
    parked text
);
create index streams_due on streams (due_at, stream) where due_at is not null and parked is null;

-- Two statements, each with a snapshot of its own, in one round trip. `wanted` comes sorted.
-- The heads of version 0 that stay behind are nobody's stream: only `lock` ever sees them.
create function lock_streams(wanted text[]) returns setof streams language plpgsql as $$
begin
    insert into streams (stream) select unnest(wanted) on conflict do nothing;
    return query select * from streams where stream = any(wanted) order by stream for update;
end
$$;

create table positions (
    reader text not null,
    topic text not null,
    partition integer not null,
    next bigint not null,
    primary key (reader, topic, partition)
);

create table seen (
    reader text not null,
    stream text collate "C" not null,
    version bigint not null,
    primary key (reader, stream)
);

create table entries (
    name text collate "C" not null,
    key text collate "C" not null,
    value text not null,
    primary key (name, key)
);

-- Ids are drawn from a sequence `ids_<name>`, which begins above what a restore found in use.
create table ids (
    name text primary key,
    used bigint not null
);

create table deliveries (
    id bigint primary key,
    channel text not null,
    stream text not null,
    target text collate "C" not null,
    not_before timestamptz not null,
    deadline timestamptz not null,
    payload bytea not null,
    lane integer not null,
    attempts integer not null,
    created_at timestamptz not null,
    leased_until timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index deliveries_target on deliveries (target);
create index deliveries_not_before on deliveries (not_before);

create table parked (
    id bigint generated always as identity primary key,
    reader text not null,
    stream text collate "C" not null,
    topic text not null,
    partition integer not null,
    place bigint not null,
    body bytea not null,
    error text not null,
    at timestamptz not null default now(),
    unique (reader, topic, partition, place)
);
create index parked_stream on parked (reader, stream);

create table published (
    topic text not null,
    partition integer not null,
    next bigint not null,
    primary key (topic, partition)
);
"""

MIGRATIONS: list[tuple[str, str]] = [("0001-ledger", LEDGER)]
