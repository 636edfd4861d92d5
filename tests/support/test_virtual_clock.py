"""Hours pass at once and in order, and what would never end fails."""

import asyncio
import re

import pytest

from tests.support.virtual_clock import HangError, block, run


def test_time_passes_as_the_timers_say() -> None:
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, asyncio.get_running_loop().time()))

    async def main() -> str:
        await asyncio.gather(sleeper("day", 86400), sleeper("hour", 3600), sleeper("quarter", 0.25))
        return "done"

    assert run(main()) == "done"
    assert seen == [("quarter", 0.25), ("hour", 3600), ("day", 86400)]


def test_blocking_makes_timers_late() -> None:
    async def main() -> float:
        asyncio.get_running_loop().call_soon(block, 3)
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    assert run(main()) == 3


def test_before_a_jump_all_of_the_instant_has_happened() -> None:
    log: list[str] = []

    async def main() -> None:
        for second in range(2):
            await asyncio.sleep(1)
            for step in range(3):
                await asyncio.sleep(0)
                log.append(f"{second}.{step}")

    run(main(), lambda: log.append("jump"))
    assert log == ["jump", "0.0", "0.1", "0.2", "jump", "1.0", "1.1", "1.2"]


def test_what_is_raised_before_a_jump_ends_the_run() -> None:
    def fail() -> None:
        raise KeyError("broken rule")

    with pytest.raises(KeyError, match="broken rule"):
        run(asyncio.sleep(1), fail)


def test_waiting_for_ever_fails() -> None:
    async def main() -> None:
        await asyncio.sleep(3)
        await asyncio.get_running_loop().create_future()

    with pytest.raises(HangError, match=re.escape("for ever since 3.0 s")):
        run(main())


def test_spinning_fails() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(HangError, match="iterations"):
        run(main())


def test_an_exception_in_a_callback_fails() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)

    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run(main())


def test_an_exception_that_nobody_fetched_fails() -> None:
    async def main() -> None:
        asyncio.get_running_loop().create_future().set_exception(KeyError("unseen"))

    with pytest.raises(AssertionError, match="unseen"):
        run(main())
