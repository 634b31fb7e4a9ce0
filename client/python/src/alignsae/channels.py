"""How a client reaches its servers."""
import dataclasses
import ipaddress
import json
import os
import pathlib
import socket

import grpc

from alignsae.retries import Retries


@dataclasses.dataclass(frozen=True)
class Options:
    """Settings of a Client. Paths are of PEM files."""
    # "host:port"; a gRPC target ("dns:///alignsae:50051", all whose addresses are used); or
    # several of host:port, separated by commas. Names among several are looked up once.
    server: str = "127.0.0.1:50051"
    timeout: float = 30.0      # Seconds of a whole call, tries again included. > 0.
    client_id: str = ""        # x-client-id: the server takes turns between clients.
    request_id: str = ""       # x-request-id; "": the server makes one for each call.
    # Sent as "authorization: Bearer ..."; needs TLS or loopback. Default: what the environment's
    # ALIGNSAE_TOKEN holds.
    token: str = dataclasses.field(default_factory=lambda: os.environ.get("ALIGNSAE_TOKEN", ""))
    tls: bool = False          # True with any of the following.
    tls_ca: str | None = None  # Default: the system's roots.
    tls_cert: str | None = None  # With tls_key: mutual TLS.
    tls_key: str | None = None
    tls_name: str | None = None  # Name in the server's certificate, if not its host's.
    keepalive: float = 30.0    # Seconds between pings of a quiet connection; at least 20.
    retries: Retries = Retries()

    def __post_init__(self):
        if not self.timeout > 0:
            raise ValueError(f"timeout: must be above 0, got {self.timeout}")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key: must be given together")
        if self.keepalive < 20:
            raise ValueError(f"keepalive: must be at least 20, got {self.keepalive}; the server "
                             "ends connections that ping more often")
        if self.token and not self.secure and not _all_loopback(self.server):
            raise ValueError("token: must not travel in the open: use TLS")

    @property
    def secure(self):
        return bool(self.tls or self.tls_ca or self.tls_cert or self.tls_name)

    def metadata(self):
        """What goes along with every call."""
        pairs = [("x-client-id", self.client_id), ("x-request-id", self.request_id),
                 ("authorization", f"Bearer {self.token}" if self.token else "")]
        return tuple((key, value) for key, value in pairs if value)


def _split(address):
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"server: must be host:port, or several separated by commas, "
                         f"got {address!r}")
    return host.strip("[]"), int(port)


def _addresses(server):
    """All (family, address, port) of a list of host:port."""
    found = []
    for part in server.split(","):
        host, port = _split(part.strip())
        for family, _, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if family in (socket.AF_INET, socket.AF_INET6) and (
                    family, place[0], port) not in found:
                found.append((family, place[0], port))
    return found


def _all_loopback(server):
    try:
        return all(ipaddress.ip_address(address).is_loopback
                   for _, address, _ in _addresses(server))
    except (OSError, ValueError):
        return False


def target_of(server):
    """The gRPC target of Options.server."""
    if "," not in server:
        return server
    found = _addresses(server)
    four = [f"{address}:{port}" for family, address, port in found
            if family == socket.AF_INET]
    six = [f"[{address}]:{port}" for family, address, port in found
           if family == socket.AF_INET6]
    # A name may have both (localhost): then one kind is enough.
    return "ipv4:" + ",".join(four) if four else "ipv6:" + ",".join(six)


def arguments_of(options):
    """gRPC's channel arguments."""
    config = {"loadBalancingConfig": [{"round_robin": {}}],
              # A server that drains says so before it refuses.
              "healthCheckConfig": {"serviceName": ""}}
    arguments = [("grpc.service_config", json.dumps(config)),
                 ("grpc.keepalive_time_ms", int(options.keepalive * 1000)),
                 ("grpc.keepalive_timeout_ms", 10000),
                 ("grpc.keepalive_permit_without_calls", 1),
                 ("grpc.http2.max_pings_without_data", 0),
                 ("grpc.max_receive_message_length", 64 << 20),
                 ("grpc.max_reconnect_backoff_ms", 5000)]
    if options.tls_name:
        arguments.append(("grpc.ssl_target_name_override", options.tls_name))
    return arguments


def open_channel(options, module=grpc):
    """A channel of `module`: grpc, or grpc.aio."""
    target, arguments = target_of(options.server), arguments_of(options)
    if not options.secure:
        return module.insecure_channel(target, options=arguments)
    if "," in options.server and not options.tls_name:
        raise ValueError("tls_name: must be given with several servers: the name that all their "
                         "certificates hold")
    pems = [pathlib.Path(path).read_bytes() if path else None
            for path in (options.tls_ca, options.tls_key, options.tls_cert)]
    return module.secure_channel(target, grpc.ssl_channel_credentials(*pems), options=arguments)
