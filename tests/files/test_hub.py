"""A hub that cannot be reached is told within seconds, by a real command against a hub of its own on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.program import ROOT, environment

pytestmark = pytest.mark.integration
