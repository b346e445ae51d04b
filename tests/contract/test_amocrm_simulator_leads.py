"""Leads of the simulator, as amoCRM's pages and its users describe them."""

from __future__ import annotations

import pytest

from tests.contract.amocrm_account import Account, errors, ids, phone_values


@pytest.fixture
def account() -> Account:
    return Account()


class TestReading:
    def test_an_empty_list_is_204_without_a_body(self, account: Account) -> None:
        answer = account.api.get("/leads")
        assert (answer.status_code, answer.content) == (204, b"")

    def test_a_missing_lead_is_204_or_by_switch_404(self, account: Account) -> None:
        assert account.api.get("/leads/1").status_code == 204
        account.world.switch(missing_as_404=True)
        answer = account.api.get("/leads/1")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")

    def test_a_lead_has_all_documented_keys_and_hal_json(self, account: Account) -> None:
        answer = account.api.get(f"/leads/{account.lead(name='Кухня', price=12)}")
        assert answer.headers["content-type"] == "application/hal+json"
        assert list(answer.json()) == [
            *("id", "name", "price", "responsible_user_id", "group_id", "status_id", "pipeline_id", "loss_reason_id"),
            *("source_id", "created_by", "updated_by", "created_at", "updated_at", "closed_at", "closest_task_at"),
            *("is_deleted", "custom_fields_values", "score", "account_id", "_links", "_embedded"),
        ]
        assert answer.json()["custom_fields_values"] is None
        assert answer.json()["_embedded"] == {"tags": [], "companies": []}

    def test_contacts_come_only_when_asked_for_with_the_main_one_marked(self, account: Account) -> None:
        first, second = account.contact("+79990000001"), account.contact("+79990000002")
        lead_id = account.lead(_embedded={"contacts": [{"id": first}, {"id": second, "is_main": True}]})
        embedded = account.api.get(f"/leads/{lead_id}?with=contacts").json()["_embedded"]
        assert [(row["id"], row["is_main"]) for row in embedded["contacts"]] == [(second, True), (first, False)]

    def test_pages_end_with_204_when_the_last_one_was_full(self, account: Account) -> None:
        made = [account.lead(name=str(number)) for number in range(4)]
        pages = list(account.pages("/leads?limit=2"))
        assert [row["id"] for page in pages for row in page["_embedded"]["leads"]] == made
        assert "_total_items" not in pages[0]
        assert pages[1]["_links"]["next"]["href"].endswith("/api/v4/leads?page=3&limit=2")

    def test_a_limit_above_250_is_422(self, account: Account) -> None:
        answer = account.api.get("/leads?limit=251")
        assert (answer.status_code, answer.json()["detail"]) == (422, "Limit 250 per page")

    def test_order_by_a_known_key(self, account: Account) -> None:
        made = [account.lead(created_at=at) for at in (300, 100, 200)]
        assert ids(account.api.get("/leads?order[created_at]=desc")) == [made[0], made[2], made[1]]

    def test_a_url_longer_than_the_proxy_takes_is_414(self, account: Account) -> None:
        assert account.api.get("/leads", params={"query": "x" * 9000}).status_code == 414


class TestFilters:
    def test_ids_in_any_of_phps_forms(self, account: Account) -> None:
        a, b, c = (account.lead() for _ in range(3))
        for query in (f"filter[id][]={a}&filter[id][]={c}", f"filter[id][0]={a}&filter[id][1]={c}"):
            assert ids(account.api.get(f"/leads?{query}")) == [a, c]
        assert ids(account.api.get(f"/leads?filter[id]={b}")) == [b]

    def test_statuses_need_pipeline_and_stage(self, account: Account) -> None:
        won, open_ = account.lead(status_id=142), account.lead()
        pair = f"filter[statuses][0][pipeline_id]={account.main.id}&filter[statuses][0][status_id]=142"
        assert ids(account.api.get(f"/leads?{pair}")) == [won]
        assert ids(account.api.get("/leads?filter[statuses][0][status_id]=142")) == [won, open_]

    def test_times_take_ranges_and_an_exact_time_finds_nothing(self, account: Account) -> None:
        early, late = account.lead(created_at=100), account.lead(created_at=200)
        assert ids(account.api.get("/leads?filter[created_at][from]=150")) == [late]
        assert ids(account.api.get("/leads?filter[created_at][from]=50&filter[created_at][to]=150")) == [early]
        assert account.api.get("/leads?filter[created_at]=100").status_code == 204

    def test_custom_fields_are_filtered_by_id_only(self, account: Account) -> None:
        field_id = account.api.post(
            "/leads/custom_fields", json=[{"name": "Код", "type": "text", "code": "KOD"}]
        ).json()
        field_id = field_id["_embedded"]["custom_fields"][0]["id"]
        hit = account.lead(custom_fields_values=[{"field_id": field_id, "values": [{"value": "A1"}]}])
        other = account.lead()
        assert ids(account.api.get(f"/leads?filter[custom_fields_values][{field_id}][]=A1")) == [hit]
        assert ids(account.api.get("/leads?filter[custom_fields_values][KOD][]=A1")) == [hit, other]

    def test_an_unknown_filter_is_silently_ignored(self, account: Account) -> None:
        made = [account.lead(), account.lead()]
        assert ids(account.api.get("/leads?filter[ids][]=1")) == made

    def test_without_the_feature_every_filter_is_ignored_and_the_account_says_so(self, account: Account) -> None:
        account.world.switch(filters_enabled=False)
        made = [account.lead(), account.lead()]
        assert ids(account.api.get(f"/leads?filter[id][]={made[0]}")) == made
        assert account.api.get("/account?with=is_api_filter_enabled").json()["is_api_filter_enabled"] is False

    def test_filtered_lists_may_lag_while_plain_ones_do_not(self, account: Account) -> None:
        account.world.switch(list_lag=(3.0, 3.0))
        lead_id = account.lead()
        assert account.api.get(f"/leads?filter[id][]={lead_id}").status_code == 204
        assert ids(account.api.get("/leads")) == [lead_id]
        account.clock.advance(3)
        account.admin.rename(lead_id, "Новое имя")
        listed = account.api.get(f"/leads?filter[id][]={lead_id}").json()["_embedded"]["leads"]
        assert listed[0]["name"] == "Заявка"


class TestWriting:
    def test_a_lead_without_anything_lands_in_the_main_pipeline_with_the_tokens_user(self, account: Account) -> None:
        lead = account.api.get(f"/leads/{account.lead(request_id='q')}").json()
        assert (lead["pipeline_id"], lead["status_id"]) == (account.main.id, account.main.entry.id)
        assert (lead["responsible_user_id"], lead["name"], lead["price"]) == (account.world.admin.id, "", 0)

    def test_request_ids_are_echoed_and_default_to_the_index(self, account: Account) -> None:
        answer = account.api.post("/leads", json=[{"request_id": "q1"}, {}]).json()
        assert [row["request_id"] for row in answer["_embedded"]["leads"]] == ["q1", "1"]

    def test_one_bad_item_refuses_the_batch_and_nothing_is_written(self, account: Account) -> None:
        answer = account.api.post("/leads", json=[{}, {"status_id": 7, "price": "12", "request_id": "bad"}])
        assert errors(answer) == [("bad", "price", "InvalidType"), ("bad", "status_id", "NotSupportedChoice")]
        assert answer.json()["title"] == "Bad Request"
        assert account.api.get("/leads").status_code == 204

    @pytest.mark.parametrize(("key", "value"), [("price", True), ("name", 5), ("price", None), ("status_id", "142")])
    def test_a_value_of_another_type_is_refused(self, account: Account, key: str, value: object) -> None:
        assert errors(account.api.post("/leads", json=[{key: value}]))[0] == ("0", key, "InvalidType")

    @pytest.mark.parametrize("body", [[], {}, None])
    def test_an_empty_request_is_400(self, account: Account, body: object) -> None:
        answer = account.api.post("/leads", json=body)
        assert (answer.status_code, answer.json()["detail"]) == (400, "Request data can not be empty")

    def test_an_object_where_a_batch_belongs_is_400(self, account: Account) -> None:
        assert account.api.post("/leads", json={"name": "x"}).status_code == 400

    def test_more_than_250_in_a_batch_is_400(self, account: Account) -> None:
        assert account.api.post("/leads", json=[{}] * 251).status_code == 400
        assert account.api.post("/leads", json=[{}] * 250).status_code == 200

    def test_there_is_no_delete(self, account: Account) -> None:
        lead_id = account.lead()
        for path in ("/leads", f"/leads/{lead_id}"):
            answer = account.api.delete(path)
            assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")

    @pytest.mark.parametrize("write", ["post", "patch"])
    def test_nothing_can_be_put_into_unsorted_by_stage(self, account: Account, write: str) -> None:
        body = {"status_id": account.unsorted_stage(), **({"id": account.lead()} if write == "patch" else {})}
        assert errors(account.api.request(write, "/leads", json=[body])) == [("0", "status_id", "NotSupportedChoice")]

    def test_nothing_waiting_in_unsorted_can_be_moved_out_by_stage(self, account: Account) -> None:
        lead_id = account.form()["_embedded"]["leads"][0]["id"]
        answer = account.api.patch("/leads", json=[{"id": lead_id, "status_id": account.main.entry.id}])
        assert errors(answer) == [("0", "status_id", "NotSupportedChoice")]

    def test_closing_lost_keeps_the_reason_and_reopening_forgets_it(self, account: Account) -> None:
        reason = account.api.post("/leads/loss_reasons", json=[{"name": "Дорого"}]).json()
        reason_id = reason["_embedded"]["loss_reasons"][0]["id"]
        lead_id = account.lead()
        account.api.patch(f"/leads/{lead_id}", json={"status_id": 143, "loss_reason_id": reason_id})
        closed = account.api.get(f"/leads/{lead_id}?with=loss_reason").json()
        assert closed["closed_at"] == closed["updated_at"]
        assert [row["name"] for row in closed["_embedded"]["loss_reason"]] == ["Дорого"]
        account.api.patch(f"/leads/{lead_id}", json={"status_id": account.main.entry.id})
        reopened = account.api.get(f"/leads/{lead_id}").json()
        assert (reopened["closed_at"], reopened["loss_reason_id"]) == (None, None)

    def test_a_loss_reason_means_nothing_on_an_open_lead(self, account: Account) -> None:
        reason = account.api.post("/leads/loss_reasons", json=[{"name": "Дорого"}]).json()
        lead_id = account.lead(loss_reason_id=reason["_embedded"]["loss_reasons"][0]["id"])
        assert account.api.get(f"/leads/{lead_id}").json()["loss_reason_id"] is None

    def test_another_pipeline_needs_a_stage_of_that_pipeline(self, account: Account) -> None:
        stages = [{"name": "Новая", "sort": 10, "color": "#fffeb2"}]
        body = {
            "name": "Вторая",
            "sort": 2,
            "is_main": False,
            "is_unsorted_on": True,
            "_embedded": {"statuses": stages},
        }
        other = account.api.post("/leads/pipelines", json=[body]).json()["_embedded"]["pipelines"][0]
        entry = other["_embedded"]["statuses"][1]["id"]
        lead_id = account.lead()
        alone = account.api.patch(f"/leads/{lead_id}", json={"pipeline_id": other["id"]})
        assert errors(alone) == [("0", "status_id", "NotSupportedChoice")]
        stage_alone = account.api.patch(f"/leads/{lead_id}", json={"status_id": entry})
        assert errors(stage_alone) == [("0", "status_id", "NotSupportedChoice")]
        both = account.api.patch(f"/leads/{lead_id}", json={"pipeline_id": other["id"], "status_id": entry})
        assert both.status_code == 200

    def test_unknown_ids_in_a_patch_are_named_by_their_request_id(self, account: Account) -> None:
        lead_id = account.lead()
        answer = account.api.patch("/leads", json=[{"id": lead_id, "price": 5}, {"id": 1, "price": 5}, {"price": 5}])
        assert errors(answer) == [("1", "id", "NotSupportedChoice"), ("2", "id", "FieldMissing")]
        assert account.api.get(f"/leads/{lead_id}").json()["price"] == 0
        assert account.api.patch("/leads/1", json={"price": 5}).status_code == 404

    def test_an_unknown_or_switched_off_user_cannot_become_responsible(self, account: Account) -> None:
        gone = account.world.add_user("Пётр", "petr@demo.example")
        account.admin.switch_off(gone.id)
        for user_id in (0, 1, gone.id):
            answer = account.api.patch("/leads", json=[{"id": account.lead(), "responsible_user_id": user_id}])
            assert errors(answer) == [("0", "responsible_user_id", "NotSupportedChoice")]
        account.world.switch(refuse_inactive_owner=False)
        assert account.lead(responsible_user_id=gone.id)

    def test_a_repeated_post_makes_a_second_lead(self, account: Account) -> None:
        assert account.lead(name="Заявка", request_id="same") != account.lead(name="Заявка", request_id="same")

    def test_tags_are_replaced_as_a_set_or_changed_one_by_one(self, account: Account) -> None:
        lead_id = account.lead(_embedded={"tags": [{"name": "сайт"}, {"name": "акция"}]})

        def patched(**changes: object) -> list[str]:
            assert account.api.patch(f"/leads/{lead_id}", json=changes).status_code == 200
            return [tag["name"] for tag in account.api.get(f"/leads/{lead_id}").json()["_embedded"]["tags"]]

        assert patched(tags_to_add=[{"name": "vip"}]) == ["сайт", "акция", "vip"]
        assert patched(tags_to_delete=[{"name": "сайт"}]) == ["акция", "vip"]
        assert patched(_embedded={"tags": [{"name": "новый"}]}) == ["новый"]
        assert patched(_embedded={"tags": None}) == []
        answer = account.api.patch(f"/leads/{lead_id}", json={"tags_to_add": [{"id": 1}]})
        assert errors(answer) == [("0", "tags_to_add.0.id", "NotSupportedChoice")]


class TestCustomFields:
    def add(self, account: Account, **field: object) -> dict[str, object]:
        answer = account.api.post("/leads/custom_fields", json=[field])
        assert answer.status_code == 201
        made: dict[str, object] = answer.json()["_embedded"]["custom_fields"][0]
        return made

    def test_an_unknown_field_is_refused_with_its_place(self, account: Account) -> None:
        values = [{"field_code": "UTM_SOURCE", "values": [{"value": "x"}]}, {"field_id": 1, "values": [{"value": "x"}]}]
        answer = account.api.post("/leads", json=[{"custom_fields_values": values}])
        assert errors(answer) == [("0", "custom_fields_values.1.field_id", "NotSupportedChoice")]

    def test_a_list_takes_one_of_its_values_by_any_name(self, account: Account) -> None:
        field = self.add(
            account, name="Тип", type="select", enums=[{"value": "Прямая"}, {"value": "Угловая", "code": "CORNER"}]
        )
        enum_id = field["enums"][1]["id"]  # type: ignore[index]
        for value in ({"value": "Угловая"}, {"enum_id": enum_id}, {"enum_code": "CORNER"}):
            lead_id = account.lead(custom_fields_values=[{"field_id": field["id"], "values": [value]}])
            shown = account.api.get(f"/leads/{lead_id}").json()["custom_fields_values"][0]
            assert shown["values"] == [{"value": "Угловая", "enum_id": enum_id, "enum_code": "CORNER"}]
        bad = account.api.post(
            "/leads", json=[{"custom_fields_values": [{"field_id": field["id"], "values": [{"value": "Нет"}]}]}]
        )
        assert errors(bad) == [("0", "custom_fields_values.0.values.0.value", "NotSupportedChoice")]

    def test_a_date_is_midnight_of_the_accounts_zone(self, account: Account) -> None:
        field = self.add(account, name="Замер", type="date")
        for sent in (1729760000, "2024-10-24T15:00:00+03:00"):
            lead_id = account.lead(custom_fields_values=[{"field_id": field["id"], "values": [{"value": sent}]}])
            shown = account.api.get(f"/leads/{lead_id}").json()["custom_fields_values"][0]
            assert shown["values"] == [{"value": 1729717200}]  # 24.10.2024 00:00 UTC+3

    def test_null_clears_a_field_and_what_is_not_sent_stays(self, account: Account) -> None:
        first, second = self.add(account, name="A", type="text"), self.add(account, name="B", type="numeric")
        values = [
            {"field_id": first["id"], "values": [{"value": "x"}]},
            {"field_id": second["id"], "values": [{"value": "12"}]},
        ]
        lead_id = account.lead(custom_fields_values=values)
        account.api.patch(
            f"/leads/{lead_id}", json={"custom_fields_values": [{"field_id": first["id"], "values": None}]}
        )
        shown = account.api.get(f"/leads/{lead_id}").json()["custom_fields_values"]
        assert [(row["field_id"], row["values"]) for row in shown] == [(second["id"], [{"value": 12}])]

    @pytest.mark.parametrize("sent", [{"values": []}, {}, {"values": {}}])
    def test_only_null_clears_a_field(self, account: Account, sent: dict[str, object]) -> None:
        field = self.add(account, name="A", type="text")
        lead_id = account.lead(custom_fields_values=[{"field_id": field["id"], "values": [{"value": "x"}]}])
        body = {"custom_fields_values": [{"field_id": field["id"], **sent}]}
        assert errors(account.api.patch(f"/leads/{lead_id}", json=body))[0][1] == "custom_fields_values.0.values"
        assert account.api.get(f"/leads/{lead_id}").json()["custom_fields_values"] is not None

    def test_several_values_without_kinds_are_kept(self, account: Account) -> None:
        field = self.add(account, name="Другие телефоны", type="multitext")
        values = [{"value": "+79990000001"}, {"value": "+79990000002"}]
        lead_id = account.lead(custom_fields_values=[{"field_id": field["id"], "values": values}])
        assert account.api.get(f"/leads/{lead_id}").json()["custom_fields_values"][0]["values"] == values

    @pytest.mark.parametrize(
        ("type_", "value"),
        [("text", 5), ("numeric", "много"), ("checkbox", "да"), ("date", "завтра"), ("numeric", True)],
    )
    def test_values_of_the_wrong_type_are_refused(self, account: Account, type_: str, value: object) -> None:
        field = self.add(account, name="Поле", type=type_)
        body = [{"custom_fields_values": [{"field_id": field["id"], "values": [{"value": value}]}]}]
        assert errors(account.api.post("/leads", json=body))[0][1] == "custom_fields_values.0.values.0.value"


class TestComplex:
    def body(self, phone: str = "+79990000001", **fields: object) -> dict[str, object]:
        return {"name": "Заявка", "_embedded": {"contacts": [{"first_name": "Иван", **phone_values(phone)}]}, **fields}

    def test_the_answer_is_a_bare_array(self, account: Account) -> None:
        answer = account.api.post("/leads/complex", json=[self.body(request_id="r1")]).json()
        assert list(answer[0]) == ["id", "contact_id", "company_id", "request_id", "merged"]
        assert (answer[0]["request_id"], answer[0]["merged"], answer[0]["company_id"]) == (["r1"], False, None)
        assert account.api.get(f"/contacts/{answer[0]['contact_id']}").json()["name"] == "Иван"

    def test_it_merges_by_phone_only_under_duplicate_control(self, account: Account) -> None:
        first = account.api.post("/leads/complex", json=[self.body("+79990000001")]).json()[0]
        again = account.api.post("/leads/complex", json=[self.body("89990000001")]).json()[0]
        assert (again["merged"], again["id"] == first["id"]) == (False, False)
        account.world.switch(duplicate_control=True)
        merged = account.api.post("/leads/complex", json=[self.body("8 (999) 000-00-01", price=700)]).json()[0]
        assert (merged["merged"], merged["id"], merged["contact_id"]) == (True, first["id"], first["contact_id"])
        assert account.api.get(f"/leads/{first['id']}").json()["price"] == 700

    def test_items_of_one_request_are_not_compared(self, account: Account) -> None:
        account.world.switch(duplicate_control=True)
        answer = account.api.post("/leads/complex", json=[self.body(), self.body()]).json()
        assert [row["merged"] for row in answer] == [False, False]

    def test_sizes(self, account: Account) -> None:
        assert account.api.post("/leads/complex", json=[self.body()] * 51).status_code == 400
        two = self.body(_embedded={"contacts": [{"name": "A"}, {"name": "B"}]})
        assert errors(account.api.post("/leads/complex", json=[two]))[0][1] == "_embedded.contacts"

    def test_an_existing_contact_is_linked(self, account: Account) -> None:
        contact_id = account.contact("+79990000009")
        body = self.body(_embedded={"contacts": [{"id": contact_id}]})
        assert account.api.post("/leads/complex", json=[body]).json()[0]["contact_id"] == contact_id
