"""The witness of a running server: its health at this moment, for explanations."""

import time
from functools import partial

from .publication import Publication
from .steering import Steering
from .witness import Witness


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
