"""HBONE by another library than ours (h2): a client and a server, one task each, told in JSON on the command line; they say in JSON what they saw."""
import json
import socket
import ssl
import sys

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's package; the interpreter may be another one
import h2.config  # noqa: E402
import h2.connection  # noqa: E402
import h2.events  # noqa: E402

TIMEOUT = 15


def context_of(side, folder):
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(f"{folder}/bundle.pem")
    context.load_cert_chain(f"{folder}/svid.pem", f"{folder}/key.pem")
    return context


class Peer:
    def __init__(self, sock, client):
        self.sock = sock
        # It does not know that CONNECT has neither scheme nor path: what comes is looked at by the tests.
        config = h2.config.H2Configuration(client_side=client, validate_outbound_headers=False, validate_inbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def events(self):
        """Events until the end of the connection."""
        while True:
            data = self.sock.recv(65536)
            if not data:
                return
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                yield event
            self.flush()


def client(task):
    """Sends `send` when the stream is accepted, and says all that came back."""
    raw = socket.create_connection((task["to"], 15008), TIMEOUT)
    sock = context_of(ssl.PROTOCOL_TLS_CLIENT, task["identity"]).wrap_socket(raw, server_hostname=task.get("name"))
    peer = Peer(sock, True)
    result = {"status": None, "body": "", "ended": False, "reset": None}
    stream = peer.h2.get_next_available_stream_id()
    peer.h2.send_headers(stream, [(name, value) for name, value in task["head"]])
    peer.flush()
    for event in peer.events():
        if isinstance(event, h2.events.ResponseReceived):
            result["status"] = int(dict(event.headers)[b":status"])
            if result["status"] != 200:
                break
            peer.h2.send_data(stream, task["send"].encode(), end_stream=task.get("half_close", False))
            peer.flush()
        elif isinstance(event, h2.events.DataReceived):
            result["body"] += event.data.decode()
            if task.get("until", "\0") in result["body"]:
                break
        elif isinstance(event, h2.events.StreamEnded):
            result["ended"] = True
            break
        elif isinstance(event, h2.events.StreamReset):
            result["reset"] = int(event.error_code)
            break
    print(json.dumps(result))


def server(task):
    """Answers one CONNECT with `status`; then, as an HTTP/1.1 server would, each request with its first line."""
    listener = socket.create_server((task["at"], 15008))
    context = context_of(ssl.PROTOCOL_TLS_SERVER, task["identity"])
    print("listening", flush=True)
    while True:
        raw, _ = listener.accept()
        try:
            sock = context.wrap_socket(raw, server_side=True)
        except (ssl.SSLError, OSError):
            continue
        peer = Peer(sock, False)
        for event in peer.events():
            if isinstance(event, h2.events.RequestReceived):
                print(json.dumps({"head": [[n.decode(), v.decode()] for n, v in event.headers],
                                  "peer": [n for kind, n in sock.getpeercert().get("subjectAltName", ()) if kind == "URI"]}), flush=True)
                peer.h2.send_headers(event.stream_id, [(":status", str(task["status"]))], end_stream=task["status"] != 200)
            elif isinstance(event, h2.events.DataReceived):
                line = event.data.split(b"\r\n")[0]
                peer.h2.send_data(event.stream_id, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(line), line))
            elif isinstance(event, h2.events.StreamEnded):
                try:
                    peer.h2.end_stream(event.stream_id)
                except Exception:  # noqa: BLE001: it is over already
                    pass
            peer.flush()


task = json.loads(sys.argv[1])
client(task) if "to" in task else server(task)
