"""A name server for services, which a bare cluster lacks: `<service>.<namespace>.svc`, in A records.

Run in the cluster's namespaces as `python3 names.py ADDRESS KUBECTL KUBECONFIG`; needs nothing but
Python.
"""

import socket
import subprocess
import sys


def asked(query: bytes) -> tuple[list[str], bytes]:
    """The labels of the name that a query asks for, and its question."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
        at += query[at] + 1
    return labels, query[12 : at + 5]


def address_of(labels: list[str], kubectl: list[str]) -> str:
    """The address of a service, or nothing."""
    if len(labels) < 3 or labels[2] != "svc":
        return ""
    service, namespace = labels[:2]
    get = ["get", "service", service, f"--namespace={namespace}", "-o=jsonpath={.spec.clusterIP}"]
    return subprocess.run([*kubectl, *get], capture_output=True, text=True, check=False).stdout


def answer(query: bytes, kubectl: list[str]) -> bytes:
    """The answer to a query: one address, none, or no such name."""
    labels, question = asked(query)
    found = address_of(labels, kubectl)
    wants_address = question[-4:-2] == b"\x00\x01"
    flags = b"\x84\x00" if found else b"\x84\x03"
    counts = b"\x00\x01" + (b"\x00\x01" if found and wants_address else b"\x00\x00") + bytes(4)
    record = b""
    if found and wants_address:
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04" + socket.inet_aton(found)
    return query[:2] + flags + counts + question + record


def main() -> None:
    """Answer until ended."""
    address, kubectl, kubeconfig = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        while True:
            query, client = server.recvfrom(512)
            server.sendto(answer(query, [kubectl, f"--kubeconfig={kubeconfig}"]), client)


if __name__ == "__main__":
    main()
