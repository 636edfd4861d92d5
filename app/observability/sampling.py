"""Which requests are traced, decided and told without what their URLs hold."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

WITHHELD = frozenset({"url.path", "url.query", "url.full"})
"""A client may have written anything there; `http.route` says which endpoint was asked."""


class WithoutUrls(Sampler):
    """Decides as `inner` does, which does not see the attributes `WITHHELD`.

    The attributes that a span begins with are those of the sampler's result, so it does not have them either.
    """

    def __init__(self, inner: Sampler) -> None:
        self._inner = inner

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        told = {key: value for key, value in (attributes or {}).items() if key not in WITHHELD}
        return self._inner.should_sample(parent_context, trace_id, name, kind, told, links, trace_state)

    def get_description(self) -> str:
        return self._inner.get_description()
