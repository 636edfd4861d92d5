"""A collector of traces on a free port of 127.0.0.1, which keeps what it is sent by OTLP over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Collector:
    endpoint: str
    received: list[tuple[str, bytes]] = field(default_factory=list)
    """The path and the body of each request."""

    @property
    def settings(self) -> dict[str, str]:
        """The variables that send the traces of a service here, soon and uncompressed."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def spans(self) -> list[tuple[str, str]]:
        """What has come so far: for each span its service's instance and its name."""
        found = []
        for _, body in list(self.received):
            for of_one in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = {each.key: each.value.string_value for each in of_one.resource.attributes}
                found += [
                    (about["service.instance.id"], span.name)
                    for scope in of_one.scope_spans
                    for span in scope.spans
                ]
        return found


@contextmanager
def collecting() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield collector
        server.shutdown()
