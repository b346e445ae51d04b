"""Whose fact it is."""

from __future__ import annotations

from functions.activity_intake.ladder import Found, climb
from functions.activity_intake.telling import Handle
from functions.shared.handle_hash import handle_hash

CRM, EXT = Handle("crm", "7"), Handle("ext", "gym:77")
PHONE, EMAIL = Handle("phone", "+79123456789"), Handle("email", "a@b.ru")
ONE, OTHER, FAMILY = frozenset({7}), frozenset({8}), frozenset({7, 8, 9})


def found(*handles: Handle, **known: frozenset[int]) -> Found:
    return climb(handles, lambda handle: handle.kind, known)


def test_the_published_vector_of_the_hash():
    expected = "beb9f755b76f0dcf2634a6298fad4efa89d724a0daa3951c539814c72f4d3d5f"
    assert handle_hash("test-identity-key", "phone:+79123456789") == expected


def test_the_first_rung_with_one_client_wins():
    assert found(EXT, PHONE, EMAIL, ext=ONE, phone=OTHER) == Found(client=7)
    assert found(EXT, PHONE, EMAIL, email=OTHER) == Found(client=8)


def test_an_id_of_amocrm_wins_over_everything():
    assert found(CRM, PHONE, phone=OTHER) == Found(client=7)


def test_a_family_s_phone_is_nobody_s_even_if_the_e_mail_would_tell():
    assert found(PHONE, EMAIL, phone=FAMILY, email=ONE) == Found(under="phone", candidates=FAMILY)


def test_who_shares_a_phone_but_has_a_card_of_his_own_waits_under_the_card():
    assert found(EXT, PHONE, EMAIL, phone=FAMILY, email=ONE) == Found(under="ext", candidates=FAMILY)


def test_who_is_unknown_waits_under_his_surest_handle():
    assert found(EXT, PHONE) == Found(under="ext")
