"""Every answer of the API that an integration test gets is held to the OpenAPI document, whatever the test is about."""

from typing import Any

import httpx
import pytest

from tests import answers


@pytest.fixture(autouse=True)
def answers_agree_with_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    sending = httpx.AsyncClient.send

    async def send(self: httpx.AsyncClient, request: httpx.Request, **how: Any) -> httpx.Response:
        answer = await sending(self, request, **how)
        if not how.get("stream"):
            path = request.url.raw_path.decode().partition("?")[0]  # as sent: a name may hold an encoded slash
            found = answers.difference(request.method, path, answer)
            assert found is None, found
        return answer

    monkeypatch.setattr(httpx.AsyncClient, "send", send)
