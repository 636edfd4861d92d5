"""Who may call PyTorch modules: everyone, but not while one thread traces a network.

To follow a forward pass, `torch.fx` and `torch.export` exchange `nn.Module.__call__` itself, in the whole
process. A network that another thread computes meanwhile, as a service does when it loads a further model,
lands in the tracer and fails there.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ModuleCalls:
    """Any number of threads compute networks, or one of them traces one.

    Who waits to trace goes before all who come later, so that networks computed without a pause do not hold
    it up for ever. No thread may enter it twice.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._computing = 0
        self._tracers = 0

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute a network inside, beside others that do."""
        with self._changed:
            self._changed.wait_for(lambda: not self._tracers)
            self._computing += 1
        try:
            yield
        finally:
            with self._changed:
                self._computing -= 1
                self._changed.notify_all()

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Trace a network inside, while nobody else traces or computes one."""
        with self._changed:
            self._tracers += 1
            try:
                self._changed.wait_for(lambda: not self._computing)
                # The lock of the condition is kept meanwhile, and keeps all others out.
                yield
            finally:
                self._tracers -= 1
                self._changed.notify_all()


MODULE_CALLS = ModuleCalls()
"""For whoever traces a network, and for whoever computes one while others may be traced."""
