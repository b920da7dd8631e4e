"""A cluster as the verifier asks it: three questions, each with one answer."""

from typing import TYPE_CHECKING, Final, Protocol

from attestors.node.k8s_psat import objects
from attestors.node.k8s_psat.payload import NAME
from finial.spiffe.refusal import Kind, Refusal

if TYPE_CHECKING:
    from attestors.kubernetes.endpoint import Answer, Endpoint

SECONDS: Final = 10.0


class ClusterApi(Protocol):
    """What a verifier needs of a cluster; each answer is the API's document."""

    async def review(self, token: str, audiences: tuple[str, ...]) -> bytes:
        """Have a token reviewed."""
        ...

    async def pod(self, namespace: str, name: str) -> bytes:
        """Return a pod, or nothing if there is none."""
        ...

    async def node(self, name: str) -> bytes:
        """Return a node, or nothing if there is none."""
        ...


class HttpsClusterApi:
    """Asks over HTTPS.

    Raises: Refusal of kind UNAVAILABLE, from every question.
    """

    def __init__(self, endpoint: "Endpoint") -> None:
        self._endpoint = endpoint

    async def review(self, token: str, audiences: tuple[str, ...]) -> bytes:
        """Have a token reviewed."""
        body = objects.review_request(token, audiences)
        answer = await self._endpoint.request(
            "POST",
            objects.REVIEW_PATH,
            seconds=SECONDS,
            max_bytes=objects.MAX_ANSWER,
            body=body,
        )
        return self._document(answer, "create tokenreviews")

    async def pod(self, namespace: str, name: str) -> bytes:
        """Return a pod, or nothing if there is none."""
        return await self._get(objects.pod_path(namespace, name), "get pods")

    async def node(self, name: str) -> bytes:
        """Return a node, or nothing if there is none."""
        return await self._get(objects.node_path(name), "get nodes")

    async def _get(self, path: str, right: str) -> bytes:
        answer = await self._endpoint.request(
            "GET", path, seconds=SECONDS, max_bytes=objects.MAX_ANSWER
        )
        return b"" if answer.status == 404 else self._document(answer, right)

    def _document(self, answer: "Answer", right: str) -> bytes:
        if answer.status in (200, 201):
            return answer.body
        fault = f"{NAME}: {self._endpoint.whom} answers with status {answer.status}"
        if answer.status in (401, 403):
            raise Refusal(
                Kind.UNAVAILABLE,
                f"{fault}: this server may not {right}",
                remedy=f"let the server's service account {right}",
            )
        raise Refusal(Kind.UNAVAILABLE, fault)
