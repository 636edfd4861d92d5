"""The panel that draws the service's own metrics."""

import math

import pytest
from playwright.sync_api import Page, expect
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.panels import open_live


@pytest.fixture
def live(blank_page: Page, server: str) -> Page:
    open_live(blank_page, server)
    return blank_page


def prometheus(page: Page, function: str, *arguments: object) -> object:
    call = f"(given) => import('/static/live/prometheus.js').then((module) => module.{function}(...given))"
    return page.evaluate(call, list(arguments))


def test_requests_are_seen(live: Page, server: str) -> None:
    figures = live.locator(".now dd")
    expect(figures).to_have_count(6)
    with live.expect_response("**/predict"):
        live.get_by_role("button", name="Send 48 requests").click()
    # A line that is not flat has several heights.
    live.wait_for_function(
        """() => {
            const line = document.querySelector("#live .chart path").getAttribute("d");
            return new Set(line.match(/ [\\d.]+/g)).size > 1;
        }"""
    )
    expect(live.get_by_role("button", name="Send 48 requests")).to_be_enabled()
    metrics = live.request.get(f"{server}/metrics").text()
    batches = live.get_by_role("img", name="Batches by size")
    live.wait_for_function("document.querySelectorAll('#live .column').length > 0")
    assert 'resnet_serve_batch_size_bucket{le="1.0"}' in metrics
    expect(batches).not_to_have_attribute("aria-label", "Batches by size, since the start: none yet")


def test_a_refusal_of_the_trial_is_shown_and_ends_it(live: Page, expected_errors: list[str]) -> None:
    expected_errors.append("status of 429")
    refused = {"error": {"code": "rate_limited", "message": "too many of them", "field": None}}
    asked: list[str] = []
    live.on("request", lambda request: asked.append(request.url))
    live.route("**/predict", lambda route: route.fulfill(status=429, json=refused))
    live.get_by_role("button", name="Send 48 requests").click()
    failure = live.locator("#live .failure:visible")
    expect(failure).to_have_text("Too many of them.")
    for _ in range(2):
        with live.expect_response("**/metrics"):
            pass
    expect(failure).to_have_text("Too many of them.")
    expect(live.get_by_role("button", name="Send 48 requests")).to_be_enabled()
    assert 1 <= len([url for url in asked if url.endswith("/predict")]) <= 8


def test_reading_stops_when_another_panel_is_shown(live: Page) -> None:
    live.get_by_role("tab", name="Classify").click()
    expect(live.locator("#live")).to_be_hidden()
    asked: list[str] = []
    live.on("request", lambda request: asked.append(request.url))
    live.wait_for_timeout(1500)
    assert not [url for url in asked if url.endswith("/metrics")]


def test_time_away_is_a_gap_in_the_lines(live: Page) -> None:
    live.get_by_role("tab", name="Classify").click()
    live.wait_for_timeout(4000)
    live.get_by_role("tab", name="Live").click()
    # Two lines: the one from before, and the one from then on.
    live.wait_for_function(
        """() => {
            const line = document.querySelector("#live .chart path").getAttribute("d");
            return line.split("M").length === 3;
        }"""
    )
    ago = live.locator("#live .chart .tick").filter(has_text="s ago").first.text_content()
    assert ago is not None
    assert int(ago.removesuffix(" s ago")) >= 5


def test_readings_older_than_the_window_are_dropped(page: Page) -> None:
    times = """async () => {
        const { continued, readMetrics } = await import("/static/live/readings.js");
        let [points, last] = [[], null];
        for (const time of [0, 1000, 2000, 3500, 61500]) {
            const reading = readMetrics([], time);
            points = continued(points, time === 3500 ? null : last, reading, 60000);
            last = reading;
        }
        return points.map(({ time, requests }) => [time, requests]);
    }"""
    assert page.evaluate(times) == [[2000, 0], [3500, None], [61500, 0]]


def test_text_is_read_as_the_official_parser_reads_it(live: Page, server: str) -> None:
    text = live.request.get(f"{server}/metrics").text()
    official = [
        {"name": sample.name, "labels": sample.labels, "value": sample.value}
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert prometheus(live, "parseMetrics", text) == official
    assert len(official) > 50


def test_labels_with_quotes_and_line_ends_are_read(page: Page) -> None:
    registry = CollectorRegistry()
    label = 'a "quoted" \\ back\\nslash,\nand {braces}'
    Counter("odd", "Odd.", ["label"], registry=registry).labels(label).inc(2)
    read = prometheus(page, "parseMetrics", generate_latest(registry).decode())
    assert isinstance(read, list)
    assert {"name": "odd_total", "labels": {"label": label}, "value": 2} in read


def test_quantile_of_a_histogram(page: Page) -> None:
    registry = CollectorRegistry()
    histogram = Histogram("h", "H.", buckets=(1, 2, 4), registry=registry)
    for value in (0.5, 1.5, 1.5, 3):
        histogram.observe(value)
    quantile = """([text, share]) => import("/static/live/prometheus.js").then((module) =>
        module.quantile(module.bucketsOf(module.parseMetrics(text), "h"), share))"""
    text = generate_latest(registry).decode()
    # One of four lies below 1, two between 1 and 2, and one between 2 and 4.
    expected = {0.25: 1, 0.5: 1.5, 0.75: 2, 1: 4}
    assert {share: page.evaluate(quantile, [text, share]) for share in expected} == expected
    histogram.observe(100)
    assert page.evaluate(quantile, [generate_latest(registry).decode(), 1]) == 4
    assert prometheus(page, "quantile", [[1, 0], [math.inf, 0]], 0.5) is None


def test_counters_that_began_anew_are_no_negative_load(page: Page) -> None:
    assert prometheus(page, "difference", [[1, 2], [2, 9]], [[1, 5], [2, 6]]) == [[1, 0], [2, 3]]


def test_a_point_without_neighbours_is_drawn(page: Page) -> None:
    chart = """([values]) => import("/static/shared/charts/lines.js").then(({ lineChart }) => {
        const x = values.map((_, index) => index);
        const given = { title: "", x, series: [{ name: "", values }], format: String, ends: ["", ""] };
        document.body.append(lineChart(given));
        return document.querySelector("body > .chart path").getTotalLength();
    })"""
    assert page.evaluate(chart, [[None, 3, None]]) == 4
