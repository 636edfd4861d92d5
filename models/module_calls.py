"""Who may call PyTorch modules: everyone, but not while one thread traces a network.

To follow a forward pass, `torch.fx` and `torch.export` exchange `nn.Module.__call__` itself, in the whole
process. A network that another thread computes meanwhile, as a service does when it loads a further model,
lands in the tracer and fails there.
"""

import threading

MODULE_CALLS = threading.Lock()
"""Held by whoever traces a network, and by whoever computes one while others may be traced."""
