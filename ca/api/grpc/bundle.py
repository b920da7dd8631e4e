"""SPIRE's Bundle service."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from ca.api.grpc.caller import ServerCall, actor_of
from ca.api.grpc.messages.bundles import (
    bundle_change,
    bundle_from,
    bundle_message,
    jwt_authorities_from,
    x509_authorities_from,
)
from ca.api.grpc.messages.entries import trust_domain_from
from ca.api.grpc.messages.item_status import OK, item_status
from ca.api.grpc.messages.masks import BUNDLE_FIELDS, Fields, masked
from ca.datastore.bundles import DeleteMode
from ca.operations.administration.administer_bundles import (
    append_bundle,
    count_bundles,
    create_federated_bundle,
    delete_federated_bundle,
    find_federated_bundle,
    list_federated_bundles,
    set_federated_bundle,
    update_federated_bundle,
)
from ca.operations.world import World
from finial.spiffe.bundle import Bundle
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.service import Service, service
from finial.wire.pb import bundle_pb2, types_pb2

DESCRIPTOR: Final = bundle_pb2.DESCRIPTOR.services_by_name["Bundle"]
_MODES: Final = {0: DeleteMode.RESTRICT, 1: DeleteMode.DELETE, 2: DeleteMode.DISSOCIATE}


class BundleService:
    """Handlers of the Bundle service; downstream servers come later."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._whole: tuple[Bundle, bytes] | None = None

    def service(self) -> Service:
        """Bind the handlers."""
        return service(
            DESCRIPTOR,
            {
                "CountBundles": self._count,
                "GetBundle": self._get,
                "AppendBundle": self._append,
                "ListFederatedBundles": self._list,
                "GetFederatedBundle": self._get_federated,
                "BatchCreateFederatedBundle": self._create,
                "BatchUpdateFederatedBundle": self._update,
                "BatchSetFederatedBundle": self._set,
                "BatchDeleteFederatedBundle": self._delete,
            },
        )

    def _count(
        self, _: ServerCall, __: bundle_pb2.CountBundlesRequest
    ) -> bundle_pb2.CountBundlesResponse:
        return bundle_pb2.CountBundlesResponse(count=count_bundles(self._world))

    def _get(self, _: ServerCall, request: bundle_pb2.GetBundleRequest) -> types_pb2.Bundle | bytes:
        bundle = self._world.known.bundle.value
        if request.HasField("output_mask"):
            return bundle_message(bundle, masked(request, "output_mask", BUNDLE_FIELDS))
        # Every agent asks for the same bytes, so they are made once.
        if self._whole is None or self._whole[0] is not bundle:
            self._whole = bundle, bundle_message(bundle, BUNDLE_FIELDS).SerializeToString()
        return self._whole[1]

    async def _append(
        self, call: ServerCall, request: bundle_pb2.AppendBundleRequest
    ) -> types_pb2.Bundle:
        bundle = await append_bundle(
            self._world,
            actor_of(call),
            x509_authorities_from(request.x509_authorities),
            jwt_authorities_from(request.jwt_authorities),
        )
        return bundle_message(bundle, masked(request, "output_mask", BUNDLE_FIELDS))

    def _list(
        self, _: ServerCall, request: bundle_pb2.ListFederatedBundlesRequest
    ) -> bundle_pb2.ListFederatedBundlesResponse:
        page = list_federated_bundles(self._world, request.page_size, request.page_token)
        fields = masked(request, "output_mask", BUNDLE_FIELDS)
        return bundle_pb2.ListFederatedBundlesResponse(
            bundles=[bundle_message(bundle, fields) for bundle in page.items],
            next_page_token=page.next_token,
        )

    def _get_federated(
        self, _: ServerCall, request: bundle_pb2.GetFederatedBundleRequest
    ) -> types_pb2.Bundle:
        trust_domain = trust_domain_from(request.trust_domain)
        bundle = find_federated_bundle(self._world, trust_domain)
        return bundle_message(bundle, masked(request, "output_mask", BUNDLE_FIELDS))

    async def _create(
        self, call: ServerCall, request: bundle_pb2.BatchCreateFederatedBundleRequest
    ) -> bundle_pb2.BatchCreateFederatedBundleResponse:
        async def create(message: types_pb2.Bundle) -> Bundle:
            return await create_federated_bundle(self._world, actor_of(call), bundle_from(message))

        response = bundle_pb2.BatchCreateFederatedBundleResponse()
        fields = masked(request, "output_mask", BUNDLE_FIELDS)
        await _each(request.bundle, create, response.results, fields)
        return response

    async def _update(
        self, call: ServerCall, request: bundle_pb2.BatchUpdateFederatedBundleRequest
    ) -> bundle_pb2.BatchUpdateFederatedBundleResponse:
        written = masked(request, "input_mask", BUNDLE_FIELDS)

        async def update(message: types_pb2.Bundle) -> Bundle:
            trust_domain = trust_domain_from(message.trust_domain)
            change = bundle_change(message, written)
            return await update_federated_bundle(self._world, actor_of(call), trust_domain, change)

        response = bundle_pb2.BatchUpdateFederatedBundleResponse()
        fields = masked(request, "output_mask", BUNDLE_FIELDS)
        await _each(request.bundle, update, response.results, fields)
        return response

    async def _set(
        self, call: ServerCall, request: bundle_pb2.BatchSetFederatedBundleRequest
    ) -> bundle_pb2.BatchSetFederatedBundleResponse:
        async def store(message: types_pb2.Bundle) -> Bundle:
            return await set_federated_bundle(self._world, actor_of(call), bundle_from(message))

        response = bundle_pb2.BatchSetFederatedBundleResponse()
        fields = masked(request, "output_mask", BUNDLE_FIELDS)
        await _each(request.bundle, store, response.results, fields)
        return response

    async def _delete(
        self, call: ServerCall, request: bundle_pb2.BatchDeleteFederatedBundleRequest
    ) -> bundle_pb2.BatchDeleteFederatedBundleResponse:
        mode = _MODES.get(request.mode)
        if mode is None:
            raise Refusal(Kind.INVALID, f"unhandled delete mode {request.mode}", field="mode")
        response = bundle_pb2.BatchDeleteFederatedBundleResponse()
        for name in request.trust_domains:
            status = OK
            try:
                trust_domain = trust_domain_from(name)
                await delete_federated_bundle(self._world, actor_of(call), trust_domain, mode)
            except Refusal as refusal:
                status = item_status(refusal)
            response.results.add(trust_domain=name, status=status)
        return response


async def _each(
    messages: Iterable[types_pb2.Bundle],
    act: Callable[[types_pb2.Bundle], Awaitable[Bundle]],
    results: Any,
    fields: Fields,
) -> None:
    for message in messages:
        try:
            bundle = await act(message)
        except Refusal as refusal:
            results.add(status=item_status(refusal))
        else:
            results.add(status=OK, bundle=bundle_message(bundle, fields))
