"""People's own hands, from outside."""

from __future__ import annotations

from tests.contract.amocrm_account import Account

HOST = "http://demo.amocrm.test"


def test_a_user_is_switched_off_and_on_again_and_a_lead_deleted():
    account = Account()
    admin = account.world.add_user("Anna", "anna@firm.example")
    post = account.hasty_client().post
    assert post(f"{HOST}/_hands/users/{admin.id}/switch_off").status_code == 204
    assert not account.world.users[admin.id].is_active
    assert post(f"{HOST}/_hands/users/{admin.id}/switch_on").status_code == 204
    assert account.world.users[admin.id].is_active
    assert post(f"{HOST}/_hands/users/1/switch_off").status_code == 404
    assert post(f"{HOST}/_hands/leads/1/delete").status_code == 404


def test_support_lifts_the_block():
    account = Account(block_after=1)
    client = account.hasty_client()
    for _ in range(20):
        client.get("account")
    assert client.get("account").status_code == 403

    assert client.post(f"{HOST}/_hands/unblock").status_code == 204
    account.clock.advance(2)
    assert client.get("account").status_code == 200
