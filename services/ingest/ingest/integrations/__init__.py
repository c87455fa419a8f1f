"""One file per outside tool: its payload comes in, tool events or a reasoned refusal come out."""

from ingest.canonical import Parser
from ingest.integrations import api, pagerduty, prometheus

PARSERS: dict[str, Parser] = {
    "api": api.parse,
    "prometheus": prometheus.parse,
    "pagerduty": pagerduty.parse,
}
