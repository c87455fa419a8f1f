"""The kinds of streams that ingest decides on."""

from events.topics import ALERTS, SOURCES
from ingest import domain, intake, sources
from runtime.streams import Kind

ALERT: Kind[domain.State, domain.Command] = Kind("alert", ALERTS.name, domain.alert, domain.State)
INTAKE: Kind[intake.Intake, intake.Drop] = Kind("intake", ALERTS.name, intake.intake, intake.Intake)
SOURCE: Kind[sources.State, sources.Command] = Kind("source", SOURCES.name, sources.source, sources.State)

KINDS = (ALERT, INTAKE, SOURCE)
