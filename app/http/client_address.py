"""The address that a request comes from, as people write it."""

from ipaddress import IPv4Address, IPv6Address, ip_address


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, or None for what is none.

    A socket that listens on `::` gives IPv4 clients as `::ffff:10.0.0.5`; that is 10.0.0.5 here.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
