"""The button: somebody wants an action to run on an alert now."""

from connectors.domain.action import Configured
from connectors.domain.runs import TOO_MANY, Queue
from connectors.domain.triggers import MANUAL
from connectors.running import act, read_dossiers
from connectors.streams import ACTION, RUNS
from events.connectors import ActionConfigured, ActionQueued, TriggerMode
from events.core import Refusal
from events.shared import Actor
from runtime.unit import Cause, Unit


async def run_now(unit: Unit, alert: int, action: int, actor: Actor) -> ActionQueued | Refusal:
    """Queue a run of this action; it goes when those before it have ended. What comes of it names `unit.decided`'s
    event as its cause.
    """
    await unit.load(RUNS, [alert])
    known = (await read_dossiers(unit, [alert]))[alert]
    if not known.known:
        return Refusal("NOT_FOUND", f"There is no alert {alert}")
    found = (await unit.peek(ACTION, [action]))[ACTION.stream(action)].state
    if not isinstance(found, Configured):
        return Refusal("NOT_FOUND", "There is no such alert action")
    if (why_not := _unfit(found.now, known.source)) is not None:
        return why_not
    (run,) = await unit.draw("run")
    wanted = Queue(alert, run, found.now, MANUAL, f"manual-{run}", known.picture, unit.at, actor)
    decided = act(unit, alert, wanted, Cause(None, known.trace))
    queued = next((event for event in decided if isinstance(event, ActionQueued)), None)
    return queued or Refusal("TOO_MANY_WAITING", TOO_MANY)


def _unfit(action: ActionConfigured, source: int | None) -> Refusal | None:
    if action.mode is not TriggerMode.MANUAL:
        return Refusal("VALIDATION_ERROR", f"alertActionId: «{action.name}» runs by itself, not by a button")
    if source not in action.sources:
        return Refusal("VALIDATION_ERROR", f"alertActionId: «{action.name}» is not for alerts of this source")
    return None
