"""Keeps the ConfigMap `finial-bundle` equal to the server's bundle, where agents find it.

Runs beside the server, with its service account, and needs nothing but Python.
"""

import json
import os
import ssl
import time
import urllib.request
from pathlib import Path

BUNDLE = Path("/var/lib/finial/ca/bundle.pem")
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
NAME = "finial-bundle"
SECONDS = 5


def publish(pem: str) -> None:
    """Replace the bundle in the ConfigMap."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    host = f"[{host}]" if ":" in host else host
    namespace = (ACCOUNT / "namespace").read_text().strip()
    request = urllib.request.Request(
        f"https://{host}:{port}/api/v1/namespaces/{namespace}/configmaps/{NAME}",
        data=json.dumps({"data": {"bundle.pem": pem}}).encode(),
        method="PATCH",
        headers={
            "Authorization": f"Bearer {(ACCOUNT / 'token').read_text().strip()}",
            "Content-Type": "application/merge-patch+json",
        },
    )
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        answer.read()


def main() -> None:
    """Look at the bundle every few seconds; publish it when it is another one."""
    published = ""
    while True:
        try:
            pem = BUNDLE.read_text()
            if pem != published:
                publish(pem)
                published = pem
                print(
                    f"published {pem.count('BEGIN CERTIFICATE')} authorities in {NAME}", flush=True
                )
        except OSError as error:
            print(f"not published yet: {error}", flush=True)
        time.sleep(SECONDS)


if __name__ == "__main__":
    main()
