"""The witnesses that explanations ask: what is known of the health, in a server and of a file."""

import time
from functools import partial

from ..compiler.plan import Plan
from ..explain.witness import Witness
from ..health.overrides import Overrides
from ..health.standing import Standing
from ..health.verdict import State, Verdict
from .comebacks import Comebacks
from .conditions import Moment
from .failback import NOTHING
from .publication import Publication
from .steering import Steering

UP = Standing(Verdict(State.UP))


def of_server(steering: Steering, publication: Publication) -> Witness:
    """Return what holds now in a server, to be read by whatever thread. Changes nothing."""
    moment = steering.moment(publication.plan)
    return Witness(
        publication.plan,
        moment,
        steering.standing_of,
        steering.overriding.overrides.trial(),
        partial(steering.held, now=moment.now),
        moment.now,
        time.time(),
        live=True,
        resolved=dict(steering.resolved),
    )


def of_file(plan: Plan) -> Witness:
    """Return what holds where nobody has looked yet: everything is taken for up."""
    overrides = Overrides()
    conditions = Moment(plan, lambda key: UP, overrides, Comebacks(), 0.0)
    return Witness(
        plan, conditions, lambda key: UP, overrides, lambda spec: NOTHING, 0.0, 0.0, live=False
    )
