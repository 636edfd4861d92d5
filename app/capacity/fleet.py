"""How many replicas a rate needs, what they cost, and which part in front of them breaks first."""

import math
from dataclasses import dataclass, field

from app.capacity.profile import Profile
from app.capacity.simulation import Replica

OVERHEAD_BYTES = 500
"""Of the headers of a request and its response, and of the packets around both."""

HARDLY_ANY = 0.001
"""Of the load that a replica can take."""


@dataclass(frozen=True)
class Surroundings:
    """What stands in front of the replicas. No rate here is measured by this project: give your own.

    `link_gbit` is in each direction: a proxy sends on what it takes, so requests and responses go in both.
    The source of `max_pods` is https://kubernetes.io/docs/setup/best-practices/cluster-large/.
    """

    link_gbit: float = field(
        default=25.0, metadata={"help": "Gbit/s of one ingress node's network, in each direction"}
    )
    ingress_nodes: int = field(default=3, metadata={"help": "number of ingress nodes"})
    ingress_rate: float = field(
        default=50_000.0, metadata={"help": "requests per second that one ingress node can proxy"}
    )
    balancer_rate: float = field(
        default=1_000_000.0,
        metadata={"help": "requests per second that the load balancer before the ingress nodes passes on"},
    )
    max_pods: int = field(default=150_000, metadata={"help": "pods that one Kubernetes cluster may have"})


@dataclass(frozen=True)
class Part:
    """One part of the whole: which share of it is used (above 1: it breaks), and at which rate it is full."""

    name: str
    used: float
    full_at: float


@dataclass(frozen=True)
class Fleet:
    """What `rate` images a second need. `parts` begin with the one that breaks first."""

    rate: float
    rate_of_a_replica: float
    replicas: int
    cores: int
    core_hours_per_million: float
    p99_seconds: float
    parts: tuple[Part, ...]


def plan(profile: Profile, rate: float, p99: float, spare: int, around: Surroundings) -> Fleet | None:
    """The fleet for `rate` images a second, one a request, at most `p99` seconds for 99 % of them.

    The balancer spreads requests at random, so that to each replica they come as a Poisson process. `spare`
    replicas may fail. None: one replica alone, with hardly any load, is slower than that.
    """
    replica = Replica(profile)
    highest = replica.highest_rate(p99)
    if highest == 0:
        return None
    needed = math.ceil(rate / highest)
    while (slowest := replica.p99(rate / needed)) > p99:  # near full load, two simulations differ
        needed += math.ceil(needed / 100)
        highest = rate / needed
        if highest < HARDLY_ANY * profile.images_per_second:
            return None
    replicas = needed + spare
    cores = replicas * profile.cores
    bits = 8 * (profile.request_bytes + profile.response_bytes + OVERHEAD_BYTES)
    link = around.ingress_nodes * around.link_gbit * 1e9 / bits
    limits = {
        f"network of {around.ingress_nodes} ingress nodes, {around.link_gbit:g} Gbit/s each": link,
        f"proxies of {around.ingress_nodes} ingress nodes": around.ingress_nodes * around.ingress_rate,
        "balancer": around.balancer_rate,
        f"pods of one cluster, {around.max_pods:,}": around.max_pods * highest,
    }
    parts = sorted((Part(name, rate / limit, limit) for name, limit in limits.items()), key=_fullness)
    return Fleet(
        rate=rate,
        rate_of_a_replica=highest,
        replicas=replicas,
        cores=cores,
        core_hours_per_million=cores / (rate * 3600) * 1e6,
        p99_seconds=slowest,
        parts=tuple(parts),
    )


def _fullness(part: Part) -> float:
    return part.full_at
