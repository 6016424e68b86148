"""The section `runs`: liveness of runs."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from traffic_assets.settings.section import Section


class RunSettings(Section):
    """Liveness of runs."""

    heartbeat_timeout_minutes: Annotated[float, Field(ge=1, le=10_080)] = Field(
        default=10,
        description="Minutes without a heartbeat after which a run on another host or in another container counts as "
        "dead. On the same host, a run is dead as soon as its process no longer exists.",
    )

    @property
    def heartbeat_timeout(self) -> timedelta:
        """The timeout as a duration."""
        return timedelta(minutes=self.heartbeat_timeout_minutes)
