"""What the service, and its client, answer or end with: exceptions that know nothing of how they are told."""

from collections.abc import Mapping


class StartError(Exception):
    """The service cannot start; the message is one line that says why."""


class SettingsError(StartError):
    """A setting is wrong; the message is one line that names the environment variable or the option."""


class ProtocolError(ValueError):
    """The request is malformed; the message names the part and says what would be right."""


class ApiError(Exception):
    """An error to be answered as it is. `field` names the parameter or form field at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers


class ServiceError(Exception):
    """The service refused a request, or could not be reached: then `status` is None, `code` "unreachable".

    `status` is None as well where the address, the key or a proxy is such that there can be no request; then
    `code` is "invalid_client". `field` names the parameter at fault, if one is.
    """

    def __init__(self, status: int | None, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field


def installation(extra: str) -> str:
    """How the packages of one of the project's extras get there, for messages: it is on no package index."""
    return f"pip install '.[{extra}]' in the project's folder"


def image_with(extra: str) -> str:
    """The same for a container of the service."""
    return f"build the image with EXTRAS=serve,{extra}"


def invalid_parameter(field: str, message: str) -> ApiError:
    return ApiError(422, "invalid_parameter", f"{field}: {message}", field)


def client_left() -> ApiError:
    return ApiError(499, "client_left", "the client closed the connection before the answer")
