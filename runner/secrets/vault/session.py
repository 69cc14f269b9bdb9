"""The login of one run: found or obtained once, renewed while it is used, obtained again when it dies, revoked."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from runner import registry
from runner.secrets.vault.background import in_thread
from runner.secrets.vault.client import FAREWELL, VaultClient
from runner.secrets.vault.credentials import Credentials, header_safe
from runner.secrets.vault.explain import RefusedError, VaultProblemError, dead_token
from runner.secrets.vault.login import Login
from runner.secrets.vault.renewal import Grant, Renewals
from runner.secrets.vault.settings import CliVariables, SettingsError, resolve_settings

T = TypeVar("T")
PARALLEL = 8
TOKEN_FILE = ".vault-token"  # noqa: S105 - a file name
METHODS = "secrets.vault.login"


class VaultSession:
    """Asks Vault on behalf of a run. Nothing is read, and nobody is asked, before the first `call`."""

    def __init__(
        self,
        config: Mapping[str, Any],
        environ: Mapping[str, str],
        *,
        warn: Callable[[str], None],
        directory: Path,
        credentials: Credentials,
        run_timeout: float | None = None,
    ) -> None:
        self._config = config
        self._environ = environ
        self._warn = warn
        self._directory = directory
        self._credentials = credentials
        self._run_timeout = run_timeout
        self._stop = threading.Event()
        self._gone = threading.Event()
        self._obtained: Login | None = None
        self._slots = asyncio.Semaphore(PARALLEL)
        self._client: VaultClient | None = None
        self._login: asyncio.Task[Login] | None = None
        self.generation = 0
        """Counts the logins: what was leased to an earlier token has died with it."""
        self.fixed_end: float | None = None
        """The seconds that the token lives where it cannot be renewed: its leases end with it."""
        self.renewals = Renewals(warn)

    async def call(self, work: Callable[[VaultClient], T]) -> T:
        """Run `work` in a thread, at most 8 at a time; log in before, and once again if the token has died."""
        login = await self._logged_in()
        generation = self.generation
        try:
            return await self._run(work)
        except RefusedError as refused:
            if not refused.token_dead:
                raise await self._explained(refused) from None
        if not login.owned:
            raise self._dead(login)
        login = await self._again(generation)
        try:
            return await self._run(work)
        except RefusedError as refused:
            if refused.token_dead:
                raise self._dead(login) from None
            raise await self._explained(refused) from None

    async def close(self) -> None:
        """Stop renewing, end the token if it is ours. Takes some seconds at most and never raises."""
        self._stop.set()
        self.renewals.stop()
        task = self._login
        if task is not None and not task.done():
            await asyncio.wait({task}, timeout=FAREWELL)
        self._gone.set()
        client, login = self._client, self._obtained
        if client is None:
            return
        if login is not None:
            await self._revoke(client, login)
        with contextlib.suppress(Exception):  # nothing depends on a tidy end of the connections
            client.close()

    async def _revoke(self, client: VaultClient, login: Login) -> None:
        reason = "no answer"
        try:
            await asyncio.wait_for(in_thread(lambda: client.revoke(login.token)), FAREWELL + 1)
        except RefusedError as refused:
            if refused.token_dead:
                return
            reason = refused.said
        except VaultProblemError as problem:
            reason = problem.message
        except Exception as error:
            reason = type(error).__name__
        else:
            return
        end = f"it ends by itself within {login.ttl:.0f} s" if login.ttl else "revoke it by hand"
        self._warn(f"the run's Vault token could not be revoked ({reason}); {end}")

    async def _run(self, work: Callable[[VaultClient], T]) -> T:
        client = self._client
        assert client is not None
        async with self._slots:
            return await in_thread(lambda: work(client))

    async def _explained(self, refused: RefusedError) -> VaultProblemError:
        return await self._run(lambda client: client.explain(refused))

    def _dead(self, login: Login) -> VaultProblemError:
        through_agent = self._client is not None and self._client.settings.through_agent
        return dead_token(login.origin, through_agent=through_agent)

    async def _logged_in(self) -> Login:
        """Log in once, whoever comes first; the others wait for it. A waiter that is cancelled cancels nobody else."""
        error = self._login_error()
        if self._login is None or (isinstance(error, VaultProblemError) and error.passing):
            self._begin()
        assert self._login is not None
        return await asyncio.shield(self._login)

    def _begin(self) -> None:
        self._login = asyncio.create_task(self._log_in())
        # Looks at the error, so that asyncio does not complain of it where every waiter was cancelled.
        self._login.add_done_callback(lambda task: task.cancelled() or task.exception())

    def _login_error(self) -> BaseException | None:
        task = self._login
        if task is None or not task.done():
            return None
        return asyncio.CancelledError() if task.cancelled() else task.exception()

    async def _again(self, generation: int) -> Login:
        """Log in again, unless somebody else has done so since the caller's token was current."""
        done = self._login is not None and self._login.done() and self._login_error() is None
        if self.generation == generation and done:
            self._begin()
        return await self._logged_in()

    async def _log_in(self) -> Login:
        login = await in_thread(self._obtain)
        self.generation += 1
        self.fixed_end = login.ttl if login.ttl and not login.renewable else None
        if login.ttl and login.renewable:
            generation = self.generation
            self.renewals.keep(
                f"the Vault token from {login.origin}",
                login.ttl,
                lambda: self._renew_token(generation),
                quiet=login.owned,
            )
        elif login.ttl and not login.owned and self._run_timeout and login.ttl < self._run_timeout:
            self._warn(
                f"the Vault token from {login.origin} ends in {login.ttl:.0f} s and cannot be renewed; "
                f"the run may take {self._run_timeout:.0f} s"
            )
        return login

    async def _renew_token(self, generation: int) -> Grant | None:
        if self.generation != generation:
            return None
        auth = (await self._run(VaultClient.renew_self)).get("auth")
        return Grant.of(auth if isinstance(auth, dict) else {})

    def _obtain(self) -> Login:
        """Find or obtain the token; runs in a thread."""
        if self._client is None:
            try:
                settings = resolve_settings(self._config, self._environ, self._directory)
            except SettingsError as error:
                raise VaultProblemError(error.message, help=error.help, everywhere=True) from None
            client = VaultClient(settings, self._stop)
            self._client = client
            for warning in settings.warnings:
                self._warn(warning)
        client = self._client
        login = self._find(client)
        client.use(login.token)
        if login.owned:
            self._obtained = login
            if self._gone.is_set():
                # The run ended while Vault was answering: nobody else ends this token any more.
                client.revoke(login.token)
        return login if login.owned or not login.token else self._examined(client, login)

    def _find(self, client: VaultClient) -> Login:
        auth = self._config.get("auth")
        if auth:
            method = registry.load(METHODS, auth["method"])
            login: Login = method.log_in(client, auth, self._credentials)
            return login
        found = CliVariables(self._environ).find("TOKEN")
        if found:
            return self._given(found[0], found[1])
        path = self._credentials.home_file(TOKEN_FILE)
        if path and path.is_file():
            return self._given(self._credentials.file(path, "the token file"), str(path))
        if client.settings.through_agent:
            return Login(token="", origin="", owned=False)
        raise VaultProblemError(
            "there is no way to log in to Vault: looked for vault.auth in runner.yaml, VAULT_TOKEN, BAO_TOKEN "
            f"and the token file {path or '~/' + TOKEN_FILE}",
            help="for people: vault login; for cron and CI: set vault.auth in runner.yaml",
            everywhere=True,
        )

    def _given(self, value: str, origin: str) -> Login:
        token = self._credentials.learn(header_safe(value, origin), f"Vault token ({origin})")
        return Login(token=token, origin=origin, owned=False)

    @staticmethod
    def _examined(client: VaultClient, login: Login) -> Login:
        """Ask how long a token that we were given will live. A token without the right to ask works all the same."""
        try:
            data = client.lookup_self()
        except RefusedError as refused:
            if refused.denied:
                return login
            if refused.token_dead:
                raise dead_token(login.origin, through_agent=False) from None
            raise client.explain(refused) from None
        ttl = data.get("ttl")
        return Login(
            token=login.token,
            origin=login.origin,
            owned=False,
            ttl=float(ttl) if isinstance(ttl, int | float) else 0.0,
            renewable=data.get("renewable") is True,
        )
