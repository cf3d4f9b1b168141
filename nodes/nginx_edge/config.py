"""The configuration that makes nginx an edge: a text from options. It writes no file and starts nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from nodes.http.limits import Limits
from nodes.http.origin_address import Origin
from nodes.http.steered import FIELD, MISSES, PARAMETERS, RANK

KEYS_BYTES = 256 << 20
"""Shared memory for the index: about 8,000 objects to the MiB. Pages that no object needs are never touched."""

HELPER = "helper.sock"
STATUS = "status.sock"


@dataclass(frozen=True)
class Edge:
    """What an edge is told. Names of files that are not absolute are below nginx's own folder."""

    name: str
    listen: str
    origin: Origin
    capacity_bytes: int
    workers: int = 1
    log: str | None = None
    combined: bool = False
    """Log in nginx's own format, which costs it less, instead of our fields."""
    idle_s: float = 60.0
    connect_s: float = 10.0
    timeout_s: float = 30.0
    idle_connections: int = 256
    tls: tuple[str, str, tuple[str, ...]] | None = None
    """Certificate, key and versions such as `TLSv1.3`."""
    origin_authority: str | None = None
    origin_insecure: bool = False
    origin_tls: tuple[str, ...] = ()
    as_root: bool = False
    limits: Limits = field(default_factory=Limits)
    files: int = 65536
    """How many descriptors a process may have at most."""


def text(edge: Edge, generation: int) -> str:
    """nginx.conf. Each generation has a folder and an index of its own, so that a new one begins empty.

    sendfile_max_chunk: with nginx's default of 2 MiB, cached objects of 1 MiB left at two thirds of this rate over loopback.
    """
    return f"""\
# Made by `longhaul node nginx-edge`, and made again each time it starts.
daemon off;
{"user root;" if edge.as_root else ""}
worker_processes {edge.workers};
worker_rlimit_nofile {min(edge.files, 65536)};
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections {min(edge.files, 65536) // 4}; }}

http {{
    sendfile on;
    sendfile_max_chunk 128k;
    tcp_nopush off;
    tcp_nodelay on;
    open_file_cache max=65536 inactive=60s;
    open_file_cache_valid 60s;
    keepalive_timeout {_ms(edge.limits.idle_timeout_s)};
    keepalive_requests 1000000000;
    client_max_body_size {edge.limits.body_bytes};
    client_header_timeout {_ms(edge.limits.header_timeout_s)};
    client_body_timeout {_ms(edge.limits.body_timeout_s)};
    send_timeout {_ms(edge.limits.write_timeout_s)};
    large_client_header_buffers 8 {edge.limits.request_line_bytes};
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    types {{}}
    default_type "";

{_log(edge)}
{_cache_status(edge.name)}
    proxy_cache_path objects-{generation} levels=1:2 keys_zone=edge-{generation}:{KEYS_BYTES} max_size={edge.capacity_bytes}
                     inactive=10y use_temp_path=off manager_files=1000 manager_sleep=10ms;

    upstream origin {{
        server {_where(edge.origin)};
        keepalive {edge.idle_connections};
        keepalive_timeout {_ms(edge.idle_s)};
        keepalive_requests 1000000000;
    }}

    server {{
        listen {edge.listen} reuseport backlog=4096{" ssl http2" if edge.tls else ""};
{_tls(edge)}
        location / {{
            proxy_pass {edge.origin.scheme}://origin;
            proxy_http_version 1.1;
            proxy_set_header Host {_authority(edge.origin)};
            proxy_set_header Connection "";
            proxy_set_header Via $via;
            proxy_set_header CDN-Loop $loop;
            proxy_connect_timeout {_ms(edge.connect_s)};
            proxy_read_timeout {_ms(edge.timeout_s)};
            proxy_send_timeout {_ms(edge.timeout_s)};
            proxy_buffers 16 16k;
            proxy_request_buffering off;
{_origin_tls(edge)}
            proxy_cache edge-{generation};
            proxy_cache_key $request_uri;
            proxy_cache_revalidate on;
            proxy_cache_background_update on;
            proxy_cache_lock on;
            proxy_pass_header Date;
            proxy_pass_header Server;
            add_header Via "1.1 {edge.name}" always;
            add_header Cache-Status $cache_status always;
        }}
        location = /-/healthz {{
            {_access_log(edge, "own")}
            default_type text/plain;
            add_header Cache-Control no-store;
            return 200 "ok\\n";
        }}
        location /-/ {{ {_access_log(edge, "own")} proxy_pass http://unix:{HELPER}:; proxy_read_timeout 60s; }}
    }}

    server {{
        listen unix:{STATUS};
        access_log off;
        location / {{ stub_status; }}
    }}
}}
"""


def _log(edge: Edge) -> str:
    """The fields of our own access log. nginx's times are seconds with three digits: a moment is written as nanoseconds,
    which end in six zeros, and durations with an exponent."""
    return f"""\
    map $msec $ts_ns {{ "~^(?<whole_s>[0-9]+)[.](?<whole_ms>[0-9]+)$" "${{whole_s}}${{whole_ms}}000000"; }}
    map $request_completion $finished {{ default false; OK true; }}
    map $upstream_header_time $upstream_ms {{ default null; "" null; "~^[0-9.]+$" "${{upstream_header_time}}e3"; }}
{_steered()}
{_format(edge, "asked", "$result", "$cache_status")}
{_format(edge, "steered", "$result", "$cache_status", STEERED)}
{_format(edge, "own", "-", "-")}
    {_access_logs(edge)}"""


STEERED = ',"steered":{"rank":$steered_rank,"miss":"$steered_miss","site":"$steered_site"}'


def _steered() -> str:
    """What a client says of its choice (`nodes/http/steered.py`), read as our own servers do; $steered_rank is empty when it
    counts as not said. Of two parameters of one name the last holds; a rank is a number without a leading zero, for JSON."""
    said = f"$http_{FIELD.replace('-', '_')}"
    return f"""\
    map {said} $steered_miss {{ default ""; "~^.*; ?miss=(?<said_miss>[^;]*)" $said_miss; }}
    map {said} $steered_site {{ default ""; "~^.*; ?site=(?<said_site>[^;]*)" $said_site; }}
    map "$steered_miss {said}" $steered_rank {{
        default ""; "~^(?:{"|".join(MISSES)})? (?={RANK}{PARAMETERS}$)0?(?<said_rank>{RANK})(?:;|$)" $said_rank;
    }}
    map $steered_rank $steered {{ default 1; "" 0; }}
    map $steered_rank $not_steered {{ default 0; "" 1; }}"""


def _format(edge: Edge, name: str, result: str, cache_status: str, more: str = "") -> str:
    client = "[$remote_addr]:$remote_port" if edge.listen.startswith("[") else "$remote_addr:$remote_port"
    return f"""\
    log_format {name} escape=json '{{"ts_ns":$ts_ns,"node":"{edge.name}","client":"{client}","method":"$request_method",'
        '"target":"$request_uri","status":$status,"bytes":$body_bytes_sent,"duration_ms":${{request_time}}e3,'
        '"first_byte_ms":null,"result":"{result}","cache_status":"{cache_status}","upstream_ms":$upstream_ms,'
        '"request_id":"$pid-$connection-$connection_requests","finished":$finished,"engine":"nginx"{more}}}';"""


def _access_logs(edge: Edge) -> str:
    """Of what clients ask for. A part of a record that is not in each needs a format of its own: nginx escapes whatever a
    variable holds."""
    if edge.log is None or edge.combined:
        return _access_log(edge, "combined")
    return f"{_access_log(edge, 'asked', 'not_steered')} {_access_log(edge, 'steered', 'steered')}"


def _access_log(edge: Edge, name: str, only: str = "") -> str:
    if edge.log is None:
        return "access_log off;"
    kind, condition = "combined" if edge.combined else name, f" if=${only}" if only else ""
    return f'access_log "{edge.log}" {kind} buffer=64k flush=200ms{condition};'


def _cache_status(name: str) -> str:
    """Cache-Status (RFC 9211) and Traffic Server's result codes, from nginx's word for what its cache did."""
    return f"""\
    map $upstream_cache_status $cache_status {{
        default     "{name}; fwd=method; fwd-status=$upstream_status";
        ""          "{name}; fwd=method; fwd-status=$upstream_status";
        HIT         "{name}; hit";
        MISS        "{name}; fwd=uri-miss; fwd-status=$upstream_status";
        EXPIRED     "{name}; fwd=stale; fwd-status=$upstream_status";
        REVALIDATED "{name}; fwd=stale; fwd-status=304";
        STALE       "{name}; hit; detail=stale";
        UPDATING    "{name}; hit; detail=updating";
        BYPASS      "{name}; fwd=bypass; fwd-status=$upstream_status";
    }}
    map $upstream_cache_status $result {{
        default -; HIT TCP_HIT; MISS TCP_MISS; EXPIRED TCP_REFRESH_MISS; REVALIDATED TCP_REFRESH_HIT;
        STALE TCP_REF_FAIL_HIT; UPDATING TCP_HIT; BYPASS TCP_MISS;
    }}
    map $http_via $via {{ default "$http_via, 1.1 {name}"; "" "1.1 {name}"; }}
    map $http_cdn_loop $loop {{ default "$http_cdn_loop, {name}"; "" "{name}"; }}
"""


def _tls(edge: Edge) -> str:
    if edge.tls is None:
        return ""
    certificate, key, versions = edge.tls
    return f"""\
        ssl_certificate "{certificate}";
        ssl_certificate_key "{key}";
        ssl_protocols {" ".join(versions)};
        ssl_early_data on;
        ssl_session_cache shared:tls:10m;"""


def _origin_tls(edge: Edge) -> str:
    if edge.origin.scheme != "https":
        return ""
    trusted = edge.origin_authority or "/etc/ssl/certs/ca-certificates.crt"
    check = "" if edge.origin_insecure else f'proxy_ssl_verify on; proxy_ssl_trusted_certificate "{trusted}";'
    return f"""\
            proxy_ssl_server_name on;
            proxy_ssl_name {edge.origin.name};
            proxy_ssl_protocols {" ".join(edge.origin_tls)};
            {check}"""


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f}ms"


def _where(origin: Origin) -> str:
    return origin.where


def _authority(origin: Origin) -> str:
    """What an origin sees as Host: without the port that its scheme implies (RFC 9110, section 7.2)."""
    usual = {"http": 80, "https": 443}[origin.scheme]
    return origin.where.removesuffix(f":{usual}") if origin.port == usual else origin.where
