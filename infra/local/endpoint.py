"""This process's AWS for other processes: what boto3 sends to AWS_ENDPOINT_URL is answered by the same moto."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/(?P<service>[a-z0-9-]+)/aws4_request")
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD")


def create_endpoint(region: str) -> Flask:
    """The region of the stack is used whatever region the caller has configured: there is only one here."""
    app = Flask("aws")

    @app.route("/", methods=METHODS)
    @app.route("/<path:_path>", methods=METHODS, provide_automatic_options=False)
    def answer(_path: str = "") -> Response:
        from moto.core.models import botocore_stubber

        scope = _SCOPE.search(request.headers.get("Authorization", ""))
        if scope is None:
            refusal = jsonify({"message": "This is an AWS endpoint: use it with AWS_ENDPOINT_URL."})
            refusal.status_code = 403
            return refusal
        answered = botocore_stubber.process_request(_for_moto(f"https://{scope['service']}.{region}.amazonaws.com"))
        status, headers, body = answered or (404, {}, "")
        response = Response(body, status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding"):
                response.headers[name] = value
        return response

    return app


def _for_moto(host: str) -> AWSPreparedRequest:
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.compat import HTTPHeaders

    headers = HTTPHeaders()
    for name, value in request.headers.items():
        if name.lower() != "host":
            headers[name] = value
    return AWSPreparedRequest(request.method, host + request.full_path.rstrip("?"), headers, request.get_data(), False)
