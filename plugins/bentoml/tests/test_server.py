"""The server's contract, kept by BentoML as it really runs."""

from __future__ import annotations

from stackyard.components.base import Context
from stackyard.components.server import Server
from stackyard.testing import ServerContract
from stackyard_bentoml.config import BentomlConfig
from stackyard_bentoml.server import BentomlServer


class TestBentomlServer(ServerContract):
    """The contract."""

    def connect(self, context: Context) -> Server:
        return BentomlServer(BentomlConfig(), context)
