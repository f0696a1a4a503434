"""A hub that cannot be reached is told within seconds, by a real command against a hub of its own on loopback."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration
