"""The endpoints: what would become of a request, what is granted, and what was refused."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from narthex import House, Identity, Route
from narthex.context import current_identity
from narthex.errors import DependencyError
from narthex.services import Directory
from narthex_plugins.access.documents import claim_of, document, grant_of, grants_document
from narthex_plugins.access.grants import StoredGrants
from narthex_plugins.access.roles import RoleNames
from narthex_plugins.access.settings import AccessSettings
from narthex_plugins.access.tally import Tally

EXPLAIN: Final = "access:explain"
READ: Final = "access:read"
GRANT: Final = "access:grant"
_LARGEST: Final = 8192
_NO_STORE: Final = {"cache-control": "no-store"}


class Endpoints:
    """Serves them.

    Attributes:
        directory: knows accounts, where a plugin keeps some; set at start.
    """

    def __init__(
        self, settings: AccessSettings, house: House, grants: StoredGrants, names: RoleNames, tally: Tally
    ) -> None:
        self.directory: Directory | None = None
        self._names = names
        self._settings = settings
        self._house = house
        self._grants = grants
        self._tally = tally

    def routes(self) -> list[Route]:
        """What is served, where, and who may."""
        path = self._settings.path
        return [
            Route(
                path=self._settings.explain,
                endpoint=self.explain,
                access=EXPLAIN,
                summary="What would become of a request.",
            ),
            Route(path=f"{path}/grants", endpoint=self.granted, access=READ, summary="What roles may."),
            Route(
                path=f"{path}/grants",
                endpoint=self.grant,
                access=GRANT,
                methods=("POST",),
                summary="Grant a permission to a role.",
            ),
            Route(
                path=f"{path}/grants/{{role}}/{{permission}}",
                endpoint=self.withdraw,
                access=GRANT,
                methods=("DELETE",),
                summary="Withdraw what was granted.",
            ),
            Route(path=f"{path}/denials", endpoint=self.denials, access=READ, summary="Refusals by rule."),
        ]

    async def explain(self, request: Request) -> Response:
        """Say what would become of `method` and `path` for `as` with `role`, `permission` and `claim`."""
        query = request.query_params
        target = query.get("path", "")
        if not target.startswith("/"):
            return _refused(400, "path is missing, or does not begin with a slash")
        try:
            identity = await self._asking(query)
        except ValueError as error:
            return _refused(400, str(error))
        except LookupError as error:
            return _refused(404, str(error.args[0]))
        except DependencyError as error:
            return _refused(503, error.code)
        found = await self._house.rehearse(query.get("method", "GET").upper(), target, identity)
        return _answer(document(found))

    async def _asking(self, query: QueryParams) -> Identity | None:
        """Who would ask: as the query says, or else an account of that name.

        Raises:
            ValueError: the query makes no sense.
            LookupError: there is no such account.
            DependencyError: the store does not answer.
        """
        subject, claims = query.get("as"), dict(map(claim_of, query.getlist("claim")))
        roles, permissions = frozenset(query.getlist("role")), frozenset(query.getlist("permission"))
        described = bool(roles or permissions or claims)
        if not subject:
            if described:
                raise ValueError("as is missing: who has these roles, permissions or claims?")
            return None
        directory = self.directory
        if described or directory is None:
            return Identity(subject=subject, roles=roles, permissions=permissions, claims=claims, via="explain")
        found = await self._house.store.read(lambda connection: directory.find(connection, subject))
        if found is None:
            raise LookupError("nobody who may log in has that name; role, permission and claim say who else is meant")
        return found

    async def granted(self, _request: Request) -> Response:
        """What is granted by the file and by the store."""
        return _answer({**grants_document(self._settings, self._grants.granted), "stale": self._grants.stale})

    async def grant(self, request: Request) -> Response:
        """Grant `permission` to `role`."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST:
                return _refused(413, f"the body has more than {_LARGEST} bytes")
        try:
            role, permission = grant_of(bytes(body))
            self._names.check(role)
        except ValueError as error:
            return _refused(400, str(error))
        return await self._change(role, permission, granted=True)

    async def withdraw(self, request: Request) -> Response:
        """Withdraw a permission of a role; what the file grants stays."""
        return await self._change(request.path_params["role"], request.path_params["permission"], granted=False)

    async def denials(self, _request: Request) -> Response:
        """How often each rule has refused, or would have, in this process since it started."""
        return _answer({"denials": self._tally.rows()})

    async def _change(self, role: str, permission: str, *, granted: bool) -> Response:
        identity = current_identity()
        try:
            change = await self._grants.change(role, permission, identity.subject if identity else "", granted=granted)
        except DependencyError as error:
            return _refused(503, error.code)
        status = (201 if change.done else 200) if granted else (200 if change.done else 404)
        told = {"changed": change.done, "behind": list(change.behind)}
        return _answer({"role": role, "permission": permission, "granted": granted, **told}, status)


def _answer(content: Mapping[str, object], status: int = 200) -> Response:
    return JSONResponse(dict(content), status, _NO_STORE)


def _refused(status: int, why: str) -> Response:
    return _answer({"error": why}, status)
