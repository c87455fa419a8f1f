"""The tables of ingest's pictures: alerts as lists and pages show them, their timeline, and what became of each signal.

All of it can be thrown away and projected again from `alerts`, `escalations`, `notifications`, `actions` and `incidents`.
"""

ALERTS = """
create table alerts (
    id              bigint primary key,
    version         integer not null,
    status          text not null,
    source          bigint not null,
    source_name     text not null,
    policy          bigint,
    policy_reason   text not null,
    priority        text not null,
    priority_reason text not null,
    severity        integer,
    summary         text not null,
    details         text not null,
    alert_key       text,
    open_key        text,
    links           jsonb not null,
    images          jsonb not null,
    labels          jsonb not null,
    services        jsonb not null,
    teams           bigint[] not null,
    created_by      jsonb not null,
    created_at      timestamptz not null,
    accepted_by     jsonb,
    accepted_at     timestamptz,
    resolved_by     jsonb,
    resolved_at     timestamptz,
    resolve_reason  text not null default '',
    auto_resolve_at timestamptz,
    repeats         integer not null default 0,
    last_event_at   timestamptz not null,
    assigned_user   bigint,
    climb           text not null default 'NONE',
    climb_reason    text not null default '',
    levels          jsonb not null default '[]',
    level           integer,
    next_at         timestamptz
);
create index alerts_by_status on alerts (status, id desc);
create index alerts_by_time on alerts (created_at desc, id desc);
create index alerts_by_source on alerts (source, id desc);
create index alerts_by_policy on alerts (policy, id desc);
create index alerts_by_key on alerts (open_key, id desc) where open_key is not null;

create table responders (
    alert       bigint not null,
    user_id     bigint not null,
    status      text not null,
    accepted_at timestamptz,
    told_at     timestamptz not null,
    primary key (alert, user_id)
);
create index responders_by_user on responders (user_id, alert desc);

create table timeline (
    id       bigint generated always as identity primary key,
    alert    bigint not null,
    event_id text not null,
    type     text not null,
    at       timestamptz not null,
    body     jsonb not null,
    unique (alert, event_id)
);

create table comments (
    id         bigint primary key,
    alert      bigint not null,
    content    text not null,
    creator    text not null,
    by         jsonb not null,
    resolves   boolean not null,
    created_at timestamptz not null
);
create index comments_by_alert on comments (alert, id);

create table source_log (
    id          bigint generated always as identity primary key,
    source      bigint not null,
    signal      text not null,
    event_id    text not null,
    outcome     text not null,
    alert       bigint,
    text        text not null,
    received_at timestamptz not null,
    unique (source, signal, event_id)
);
create index source_log_by_source on source_log (source, id desc);
"""

INCIDENTS = """
create table incident_links (
    incident bigint not null,
    alert    bigint not null,
    linked   boolean not null,
    at       timestamptz not null,
    primary key (incident, alert)
);
create index incident_links_by_alert on incident_links (alert);
"""

CUSTOM_DETAILS = "alter table alerts add column custom_details jsonb"

MIGRATIONS: list[tuple[str, str]] = [
    ("0001_pictures", ALERTS),
    ("0002_incident_links", INCIDENTS),
    ("0003_custom_details", CUSTOM_DETAILS),
]
