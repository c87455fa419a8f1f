"""Wherever a tool puts its integration key, it is not stored: the source's id stands in its place."""

from tests.integration.ingest.test_gateway import KEY, House, told

EVENT = {"eventType": "ALERT", "summary": "disk full", "details": f"sent with {KEY}", "labels": {KEY: KEY}}


def test_the_key_gives_way_in_headers_parameters_and_ids_too() -> None:
    async def story(house: House) -> None:
        house.know()
        headers = {
            "Content-Type": f"application/json; key={KEY}",
            "User-Agent": f"tool ({KEY})",
            "Idempotency-Key": f"{KEY} 7",
            "ce-source": KEY,
            "ce-id": KEY,
        }
        for _ in range(2):
            answer = await house.post(f"/api/v1/events/api/{KEY}?{KEY}=1&key={KEY}", EVENT, **headers)
            assert answer.status_code == 200, answer.text
        first, again = house.stored
        assert first.signal == again.signal, "who names an event names the same signal"
        assert KEY not in first.model_dump_json()
        assert first.sender_id == "idempotency-key:source-5 7"
        assert first.query == {"source-5": "1", "key": "source-5"}

    told(story)


def test_a_group_that_leaves_out_more_alerts_than_can_be_counted_is_refused() -> None:
    async def story(house: House) -> None:
        house.know()
        body = {
            "groupKey": "g",
            "status": "firing",
            "alerts": [{"status": "firing"}] * 2,
            "truncatedAlerts": 10**4299 * 9,
        }
        answer = await house.post(f"/api/v1/events/prometheus/{KEY}", body)
        assert (answer.status_code, "truncatedAlerts" in answer.json()["message"]) == (400, True)

    told(story)
