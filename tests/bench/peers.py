"""The other proxies: nginx, haproxy and Envoy, each one worker, with connections to the servers kept, and the same policy as
Heddle's `items`: who asks for debugging or does not read is refused, two prefixes lead to one server each, everything else to
both in turn."""

import json
import subprocess

from scratch import PEERS, CannotMeasure, launch, wait_for_port

NGINX = """
worker_processes 1;
daemon off;
error_log {folder}/error.log;
pid {folder}/pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  tcp_nodelay on;
  proxy_buffers 32 8k;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  upstream both {{ server 127.0.0.1:{first}; server 127.0.0.1:{second}; keepalive 128; keepalive_requests 1000000000; }}
  upstream v1   {{ server 127.0.0.1:{first}; keepalive 128; keepalive_requests 1000000000; }}
  upstream v2   {{ server 127.0.0.1:{second}; keepalive 128; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    if ($http_x_debug) {{ return 403; }}
    if ($request_method !~ ^(GET|HEAD)$) {{ return 403; }}
    location = /health {{ return 200 "ok"; }}
    location /v1/ {{ proxy_pass http://v1; }}
    location /v2/ {{ proxy_pass http://v2; }}
    location /    {{ proxy_pass http://both; }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 8192
  tune.bufsize 32768
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  http-reuse always
frontend items
  bind 127.0.0.1:{port} backlog 4096
  http-request deny deny_status 403 if {{ req.hdr(x-debug) -m found }}
  http-request deny deny_status 403 if !{{ method GET HEAD }}
  http-request return status 200 content-type text/plain string ok if {{ path /health }}
  use_backend v1 if {{ path_beg /v1/ }}
  use_backend v2 if {{ path_beg /v2/ }}
  default_backend both
backend both
  balance roundrobin
  server s1 127.0.0.1:{first}
  server s2 127.0.0.1:{second}
backend v1
  server s1 127.0.0.1:{first}
backend v2
  server s2 127.0.0.1:{second}
"""


def _envoy_cluster(name, ports):
    endpoints = [{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}} for port in ports]
    return {"name": name, "type": "STATIC", "connect_timeout": "5s", "lb_policy": "ROUND_ROBIN",
            "circuit_breakers": {"thresholds": [{"max_connections": 8192, "max_pending_requests": 8192, "max_requests": 8192}]},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}}


def _envoy(port, first, second):
    refused = {"status": 403}
    routes = [
        {"match": {"prefix": "/", "headers": [{"name": "x-debug", "present_match": True}]}, "direct_response": refused},
        {"match": {"prefix": "/", "headers": [{"name": ":method", "invert_match": True, "string_match": {
            "safe_regex": {"regex": "GET|HEAD"}}}]}, "direct_response": refused},
        {"match": {"path": "/health"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}},
        {"match": {"prefix": "/v1/"}, "route": {"cluster": "v1", "timeout": "0s"}},
        {"match": {"prefix": "/v2/"}, "route": {"cluster": "v2", "timeout": "0s"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "both", "timeout": "0s"}},
    ]
    types = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "items",
        "generate_request_id": False, "access_log": [],
        "http_filters": [{"name": "router", "typed_config": {
            "@type": f"{types}.http.router.v3.Router", "suppress_envoy_headers": True}}],
        "route_config": {"virtual_hosts": [{"name": "items", "domains": ["*"], "routes": routes}]}}
    listener = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}
    clusters = [_envoy_cluster("both", [first, second]), _envoy_cluster("v1", [first]), _envoy_cluster("v2", [second])]
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}})


def _configure(name, scratch, port, servers):
    """Its command."""
    first, second = servers
    folder = scratch.folder / f"proxy-{name}"
    if name == "nginx":
        text = NGINX.format(folder=folder, port=port, first=first, second=second)
        return [PEERS / "nginx", "-c", scratch.file(f"proxy-{name}/nginx.conf", text), "-e", folder / "error.log"]
    if name == "haproxy":
        text = HAPROXY.format(port=port, first=first, second=second)
        return [PEERS / "haproxy", "-db", "-f", scratch.file(f"proxy-{name}/haproxy.cfg", text)]
    text = _envoy(port, first, second)
    return [PEERS / "envoy", "-c", scratch.file(f"proxy-{name}/envoy.json", text), "--concurrency", "1", "--log-level", "error",
            "--disable-hot-restart"]


def start_peer(name, scratch, cgroup, port, servers):
    program = PEERS / name
    if not program.exists():
        missing = PEERS.parent / f"{name}.missing"
        raise CannotMeasure(missing.read_text().strip() if missing.exists() else f"there is no {program}")
    log = open(scratch.file(f"proxy-{name}/log", ""), "w")
    process = launch(_configure(name, scratch, port, servers), cgroup, stdout=log, stderr=log)
    wait_for_port(port, process, name)
    return process
