"""The servers that all contenders have behind them: one nginx with one worker and two ports, which answer alike but for the
server's number."""

import dataclasses
import subprocess

from scratch import PEERS, CannotMeasure, launch, stop, wait_for_port

SMALL = {server: f"server {server}: " + "0123456789 " * 7 + "end.\n" for server in (1, 2)}  # 240 bytes with its head
LARGE = bytes(i * i // 7 % 251 for i in range(65536))
ITEM = "/items/7"
FILE = "/files/64k"

CONFIGURATION = """
worker_processes 1;
daemon off;
error_log {folder}/error.log;
pid {folder}/pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 3600;
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=16 inactive=3600s;
  default_type text/plain;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
{servers}
}}
"""
SERVER = """
  server {{
    listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.2:{port} backlog=4096;
    location / {{ return 200 "{text}"; }}
    location /files/ {{ root {folder}; }}
  }}
"""


@dataclasses.dataclass
class Servers:
    ports: list
    process: subprocess.Popen

    def stop(self):
        stop(self.process)


def start_servers(scratch, name, cgroup, ports, texts=None):
    """`texts`: what the servers say, if not the right thing."""
    nginx = PEERS / "nginx"
    if not nginx.exists():
        raise CannotMeasure(f"there is no {nginx}; `./dev bench` unpacks it")
    folder = scratch.folder / name
    scratch.file(f"{name}/files/64k", LARGE)
    servers = "".join(SERVER.format(port=port, folder=folder, text=text.replace("\n", "\\n"))
                      for port, text in zip(ports, (texts or SMALL).values()))
    configuration = scratch.file(f"{name}/nginx.conf", CONFIGURATION.format(folder=folder, servers=servers))
    process = launch([nginx, "-c", configuration, "-e", folder / "error.log"], cgroup, stderr=subprocess.DEVNULL)
    wait_for_port(ports[-1], process, f"the server nginx of `{name}`")
    return Servers(ports, process)
