"""The kinds of streams that accounts owns, by name, topic and decider."""

from accounts.domain import apikey, session, team, user
from events.topics import ACCOUNTS
from runtime.streams import Kind

USER = Kind("user", ACCOUNTS.name, user.user, user.State)
TEAM = Kind("team", ACCOUNTS.name, team.team, team.State)
APIKEY = Kind("apikey", ACCOUNTS.name, apikey.apikey, apikey.State)
SESSION = Kind("session", ACCOUNTS.name, session.session, session.State)

KINDS = (USER, TEAM, APIKEY, SESSION)
