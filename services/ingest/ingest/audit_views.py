"""What ingest audits of its own: its pictures and its index hold what its events say. Each law is a question in SQL.

events of alerts -> the alert's row, at its version     -> a line of its timeline      open alerts with a key -> the index
escalations that the web role took in -> the responders whom they name
"""

from datetime import datetime
from typing import Any, Final

from ingest import alerts, domain
from ingest.alerts import OPEN
from ingest.streams import ALERT
from runtime.audit import LAST, NEWEST, Findings, Law, recent

ROWS: Final = """
select r.stream, r.version as said, a.version as held
from (select stream, max(version) as version from events where seq > $1 and stream like 'alert-%' group by stream) r
left join alerts a on a.id = substr(r.stream, 7)::bigint
where a.id is null or a.version < r.version
limit 1000
"""
LINES: Final = """
select e.stream || '@' || e.version as id from events e
where e.seq > $1 and e.stream like 'alert-%'
and not exists (
    select from timeline t where t.alert = substr(e.stream, 7)::bigint and t.event_id = e.stream || '@' || e.version
)
limit 1000
"""
FOREIGN: Final = """
select s.stream from seen s
where s.reader = 'ingest.web' and s.stream like 'escalation-%'
and s.stream in (select 'escalation-' || substr(e.stream, 7) from events e where e.seq > $1 and e.stream like 'alert-%')
and not exists (
    select from timeline t where t.alert = substr(s.stream, 12)::bigint and t.event_id like s.stream || '@%'
)
limit 1000
"""
ENTRIES: Final = "select key, value from entries where name = $1 and key = any($2::text[])"


async def rows(sql: Any, _now: datetime) -> Findings:
    """Every alert that was spoken of last is in the list, as new as its events."""
    found = await sql.fetch(ROWS, await _newest(sql))
    return {
        row["stream"]: f"its events end at {row['said']}, the list shows {row['held'] or 'nothing'}" for row in found
    }


async def timelines(sql: Any, _now: datetime) -> Findings:
    """Every event of an alert is told in its timeline; of an escalation that was taken in, something is."""
    newest = await _newest(sql)
    told = {row["id"]: "its timeline does not tell it" for row in await sql.fetch(LINES, newest)}
    climbs = {row["stream"]: "its alert's timeline tells nothing of it" for row in await sql.fetch(FOREIGN, newest)}
    return told | climbs


async def index(sql: Any, _now: datetime) -> Findings:
    """An open alert is found by its key, or the tool's next word would open another."""
    heads = await recent(sql, "alert-")
    known = [ALERT.codec.load(head.state) for head in heads if head.state and head.state_rev == ALERT.state_rev]
    keyed = {key: one.alert for one in known if isinstance(one, domain.Pending) and (key := alerts.key_of(one))}
    held = {row["key"]: row["value"] for row in await sql.fetch(ENTRIES, OPEN, list(keyed))}
    return {f"alert-{alert}": "it is not found by its key" for key, alert in keyed.items() if key not in held}


async def _newest(sql: Any) -> int:
    return max(0, int(await sql.fetchval(LAST)) - NEWEST)


LAWS: Final = (
    Law("rows", "The list of alerts shows every alert as its events left it", rows),
    Law("timelines", "Every event of an alert is in its timeline", timelines),
    Law("index", "Every open alert is found by its key", index),
)
