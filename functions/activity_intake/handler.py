"""Entry point of the Lambda `activity_intake`: a request of the HTTP API in (payload format 2.0), its response out."""

from __future__ import annotations

import base64
import json
from typing import Any

from functions.activity_intake import bootstrap


def lambda_handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
    text = event.get("body") or ""
    # half a character (JSON can write one, UTF-8 cannot) is for the reader of the body to refuse
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode(errors="surrogatepass")
    answer = bootstrap.intake().answer({name.lower(): value for name, value in event["headers"].items()}, body)
    return {
        "statusCode": answer.status,
        "headers": {"content-type": "application/json", **answer.headers},
        "body": json.dumps(answer.document, ensure_ascii=False),
    }
