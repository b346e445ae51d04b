"""Every promise of the port is asked of the fake and of the real adapter."""

from __future__ import annotations

import pytest

from tests.contract.amocrm_firms import FakeFirm, Firm, SimulatedFirm


@pytest.fixture(params=[FakeFirm, SimulatedFirm], ids=["fake", "adapter"])
def firm(request) -> Firm:
    firm = request.param()
    firm.clock.advance(3600)
    return firm


@pytest.fixture
def simulated() -> SimulatedFirm:
    """For bad weather, which only the real adapter can meet."""
    firm = SimulatedFirm()
    firm.clock.advance(3600)
    return firm
