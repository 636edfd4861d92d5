"""How a run is asked to stop: by Ctrl-C, or by SIGTERM from whoever started it."""

import signal
import threading
from types import FrameType


class StopOnSignal:
    """Turns the first SIGINT or SIGTERM into a request to stop; a second one ends the program at once.

    Off the main thread, where Ray Train calls, Python takes no signals: whoever runs the thread has them.
    """

    def __init__(self) -> None:
        self.asked = False
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(number, signal.SIG_DFL)

    def __call__(self) -> bool:
        return self.asked
