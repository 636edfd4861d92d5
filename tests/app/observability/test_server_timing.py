from app.observability.server_timing import server_timing


def test_seconds_become_milliseconds() -> None:
    assert server_timing({"decode": 0.0012345, "inference": 2}) == "decode;dur=1.234, inference;dur=2000.000"
    assert server_timing({}) == ""
