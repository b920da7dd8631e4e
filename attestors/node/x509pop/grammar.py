"""The selectors of nodes that showed a certificate, and what each of them relies on."""

from typing import Final

from attestors.contract import SelectorForm, SelectorGrammar
from attestors.node.x509pop.payload import NAME

_CA: Final = "the CA that signed the node's certificate, and that the node holds its key"

GRAMMAR: Final = SelectorGrammar(
    NAME,
    (
        SelectorForm(
            "subject",
            r"subject:cn:[^\n]+",
            "x509pop:subject:cn:node-1.example.org",
            f"{_CA}: the common name of its subject",
        ),
        SelectorForm(
            "ca",
            r"ca:fingerprint:[0-9a-f]{40}",
            f"x509pop:ca:fingerprint:{'0f' * 20}",
            "that nobody makes another CA certificate with the same SHA-1 that we trust, too",
            "anything of the node but who signed for it, the CA itself or one between",
        ),
        SelectorForm(
            "serialnumber",
            r"serialnumber:(?:[0-9a-f]{2})+",
            "x509pop:serialnumber:0a1b2c3d",
            f"{_CA}: the serial number, which that CA uses once",
            "which CA it was, where several are trusted",
        ),
        SelectorForm(
            "san",
            r"san:[^:\n]+:[^\n]+",
            "x509pop:san:datacenter:west",
            f"{_CA}: one of its URIs, x509pop://<trust domain>/datacenter/west",
        ),
    ),
)
