"""What pages of other web sites may ask, where the service was given any such sites."""

from fastapi import Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from app.errors import ApiError
from app.http.error_handlers import error_response

FIELDS = {
    "origin": "Origin",
    "method": "Access-Control-Request-Method",
    "headers": "Access-Control-Request-Headers",
    "private-network": "Access-Control-Request-Private-Network",
}
"""What the library calls each reason for which it refuses, and the header that the reason lies in."""


class CrossOrigin(CORSMiddleware):
    """`CORSMiddleware` whose refusals have the shape of all errors."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except _RefusedError as refused:
            await error_response(refused.answer, Request(scope, receive))(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        text = bytes(response.body).decode()
        reason = text.removeprefix("Disallowed CORS ").partition(",")[0]
        headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        raise _RefusedError(ApiError(400, "cors_refused", text, FIELDS.get(reason), headers))


class _RefusedError(Exception):
    def __init__(self, answer: ApiError) -> None:
        self.answer = answer
