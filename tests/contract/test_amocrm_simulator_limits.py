"""Limits, tokens and bad weather of the simulator."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.amocrm_simulator.authorisation import add_integration
from infra.local.amocrm_simulator.limiter import Limiter
from infra.local.amocrm_simulator.switches import Switches
from tests.contract.amocrm_account import Account

HTML_403 = "<center><h1>403 Forbidden</h1></center>"


@pytest.fixture
def account() -> Account:
    return Account()


class TestRate:
    def test_the_eighth_request_within_a_second_is_429_as_json(self, account: Account) -> None:
        hasty = account.hasty_client()
        assert [hasty.get("/leads").status_code for _ in range(8)] == [204] * 7 + [429]
        refused = hasty.get("/leads")
        assert refused.json()["title"] == "Too Many Requests"
        assert "retry-after" not in refused.headers
        account.clock.advance(1)
        assert hasty.get("/leads").status_code == 204
        assert account.world.requests.throttled == 2

    def test_the_body_may_be_html(self, account: Account) -> None:
        account.world.switch(html_429=True)
        hasty = account.hasty_client()
        refused = [hasty.get("/leads") for _ in range(8)][-1]
        assert (refused.status_code, refused.headers["content-type"]) == (429, "text/html")
        assert "429 Too Many Requests" in refused.text

    def test_another_integration_has_its_own_limit_but_the_account_has_one_for_all(self, account: Account) -> None:
        clients = [account.hasty_client(account.world.add_token(f"app {n}", account.world.admin.id)) for n in range(10)]
        answers = [client.get("/leads").status_code for client in clients for _ in range(7)]
        assert (answers.count(204), answers.count(429)) == (50, 20)
        assert answers[:50] == [204] * 50

    def test_hammering_from_many_threads_lets_seven_a_second_through(self, account: Account) -> None:
        account.world.switch(block_after=10**6)

        def hammer() -> None:
            client = account.hasty_client()
            for _ in range(40):
                client.get("/leads")

        for _ in range(3):
            threads = [threading.Thread(target=hammer) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            account.clock.advance(1)
        passed = [request for request in account.world.requests.log if request.status == 204]
        assert len(passed) == 3 * 7
        assert account.world.requests.busiest_second("conveyor") == 320
        assert account.world.requests.by_path["GET", "/api/v4/leads"] == 960

    @given(st.lists(st.floats(0, 0.5), max_size=60), st.integers(1, 9))
    def test_no_second_anywhere_holds_more_than_the_limit(self, pauses: list[float], limit: int) -> None:
        limiter, switches = Limiter(), Switches(per_token_per_second=limit, block_after=10**6)
        now, passed = datetime(2026, 1, 1, tzinfo=UTC), []
        for pause in pauses:
            now += timedelta(seconds=pause)
            if limiter.allows("app", now, switches):
                passed.append(now)
            else:
                assert sum(now - at < timedelta(seconds=1) for at in passed) >= limit
        for at in passed:
            assert sum(at <= other < at + timedelta(seconds=1) for other in passed) <= limit

    def test_repeated_excess_blocks_everybody_with_an_html_page_until_support_helps(self, account: Account) -> None:
        account.world.switch(block_after=5)
        hasty = account.hasty_client()
        answers = [hasty.get("/leads").status_code for _ in range(14)]
        assert answers == [204] * 7 + [429] * 5 + [403] * 2
        account.clock.advance(7200)
        stranger = account.hasty_client(account.world.add_token("other", account.world.admin.id)).get("/account")
        assert (stranger.status_code, stranger.headers["content-type"]) == (403, "text/html")
        assert HTML_403 in stranger.text
        account.world.unblock()
        assert hasty.get("/account").status_code == 200

    def test_the_log_tells_who_asked_what_and_when(self, account: Account) -> None:
        account.api.get(f"/leads/{account.lead()}")
        last = account.world.requests.log[-1]
        assert (last.at, last.token, last.method, last.status) == (account.clock.now(), "conveyor", "GET", 200)
        assert account.world.requests.by_path["GET", "/api/v4/leads/{lead_id}"] == 1
        assert (account.world.requests.total, account.world.requests.busiest_second()) == (2, 2)


class TestTokens:
    def test_without_or_with_a_wrong_token_it_is_401_problem_json(self, account: Account) -> None:
        for token in ("", "wrong"):
            answer = account.client(token).get("/leads")
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
            assert answer.json() == {
                "title": "Unauthorized",
                "type": "https://httpstatus.es/401",
                "status": 401,
                "detail": "Invalid user name or password",
            }

    def test_a_token_ends_when_it_expires_or_is_revoked(self, account: Account) -> None:
        short = account.world.add_token("short", account.world.admin.id, lifetime=timedelta(days=1))
        assert account.client(short).get("/account").status_code == 200
        account.clock.advance(86400)
        assert account.client(short).get("/account").status_code == 401
        account.world.revoke_token(account.token)
        assert account.api.get("/account").status_code == 401

    def test_its_claims_say_when_and_where(self, account: Account) -> None:
        payload = account.token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert (claims["sub"], claims["grant_type"]) == (str(account.world.admin.id), "")
        assert (claims["account_id"], claims["base_domain"]) == (account.world.account_id, "amocrm.ru")
        assert claims["exp"] > claims["iat"]

    def test_an_admin_may_act_as_another_user_and_others_may_not(self, account: Account) -> None:
        anna = account.world.add_user("Анна", "anna@demo.example")
        as_anna = {"X-Context-User-ID": str(anna.id)}
        assert account.api.get("/account", headers=as_anna).json()["current_user_id"] == anna.id
        hers = account.client(account.world.add_token("hers", anna.id))
        answer = hers.get("/account", headers={"X-Context-User-ID": str(account.world.admin.id)})
        assert answer.status_code == 403


class TestOAuth:
    def test_a_refresh_token_works_once_and_the_second_use_gets_the_vendors_401(self, account: Account) -> None:
        app = add_integration(account.world, "oauth", account.world.admin.id)
        base = {"client_id": app.client_id, "client_secret": app.client_secret, "redirect_uri": app.redirect_uri}
        first = self.ask(account, {**base, "grant_type": "authorization_code", "code": app.code})
        refresh = {**base, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        second = self.ask(account, refresh)
        assert second["refresh_token"] != first["refresh_token"]
        assert (second["token_type"], second["expires_in"]) == ("Bearer", 86400)
        assert account.client(str(second["access_token"])).get("/account").status_code == 200
        assert self.ask(account, refresh, status=401) == {
            "hint": "Token has been revoked",
            "title": "Некорректный запрос",
            "type": "https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
            "status": 401,
            "detail": "В запросе отсутствует ряд параметров или параметры невалидны",
        }
        account.clock.advance(86400)
        assert account.client(str(second["access_token"])).get("/account").status_code == 401

    def test_a_wrong_secret_is_an_unknown_client(self, account: Account) -> None:
        app = add_integration(account.world, "oauth", account.world.admin.id)
        body = {"client_id": app.client_id, "client_secret": "x", "redirect_uri": app.redirect_uri}
        answer = self.ask(account, {**body, "grant_type": "authorization_code", "code": app.code}, status=401)
        assert (answer["title"], answer["detail"]) == ("Некорректный клиент", "Авторизация клиента не прошла")

    def test_codes_and_refresh_tokens_grow_old(self, account: Account) -> None:
        app = add_integration(account.world, "oauth", account.world.admin.id)
        base = {"client_id": app.client_id, "client_secret": app.client_secret, "redirect_uri": app.redirect_uri}
        account.clock.advance(20 * 60)
        self.ask(account, {**base, "grant_type": "authorization_code", "code": app.code}, status=401)
        fresh = add_integration(account.world, "fresh", account.world.admin.id)
        base = {"client_id": fresh.client_id, "client_secret": fresh.client_secret, "redirect_uri": fresh.redirect_uri}
        pair = self.ask(account, {**base, "grant_type": "authorization_code", "code": fresh.code})
        account.clock.advance(91 * 86400)
        body = {**base, "grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
        assert self.ask(account, body, status=401)["hint"] == "Token has been revoked"

    def ask(self, account: Account, body: dict[str, object], status: int = 200) -> dict[str, object]:
        answer = account.api.post("http://demo.amocrm.test/oauth2/access_token", json=body)
        assert answer.status_code == status, answer.text
        pair: dict[str, object] = answer.json()
        return pair


class TestBadWeather:
    def test_a_large_batch_may_end_in_504_and_may_have_been_written(self) -> None:
        account = Account(batch_504_share=0.5)
        answers = [account.api.post("/leads", json=[{}] * 51) for _ in range(40)]
        lost = [answer for answer in answers if answer.status_code == 504]
        assert 10 <= len(lost) <= 30
        assert lost[0].headers["content-type"] == "text/html"
        written = len(account.world.leads.all()) // 51
        assert 40 - len(lost) < written < 40

    def test_a_batch_of_fifty_is_safe(self) -> None:
        account = Account(batch_504_share=1.0)
        assert account.api.post("/leads", json=[{}] * 50).status_code == 200
        assert account.api.post("/leads", json=[{}] * 51).status_code == 504

    def test_an_answer_may_be_lost_after_the_write(self) -> None:
        account = Account(lost_answer_share=1.0)
        assert account.api.post("/leads", json=[{}]).status_code == 504
        assert len(account.api.get("/leads").json()["_embedded"]["leads"]) == 1

    def test_down_and_storm(self, account: Account) -> None:
        account.world.switch(down=True)
        assert (account.api.get("/leads").status_code, account.api.get("/leads").headers["content-type"]) == (
            502,
            "text/html",
        )
        account.world.switch(down=False, storm=True)
        assert [account.api.get("/leads").status_code for _ in range(200)] == [429] * 200
        account.world.switch(storm=False)
        assert account.api.get("/leads").status_code == 204
