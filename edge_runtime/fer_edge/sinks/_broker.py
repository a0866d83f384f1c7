"""A connection to an MQTT broker that comes back, and never brings back what is old."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from fer_edge.errors import FerError
from fer_edge.settings.outputs import MqttSettings
from fer_edge.sinks._losses import Losses, LostError

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessageInfo
    from paho.mqtt.enums import CallbackAPIVersion
    from paho.mqtt.reasoncodes import ReasonCode

# For a broker that was reached to accept or refuse, and for the last message to be confirmed, seconds.
_ANSWER_S, _GOODBYE_S = 10.0, 2.0
# To wait for what becomes of the first attempt, seconds.
_FIRST_S = 10.0
# Between two attempts, seconds: twice as long each time.
_FIRST_RETRY_S = 1.0
# Messages on their way at most, and how long the oldest of so many may go without an answer before the broker counts as
# hung, seconds.
_UNCONFIRMED, _PATIENCE_S = 20, 1.0


class Broker:
    """Connects, and connects again when the connection is lost, in a thread of its own.

    Each connection has a client of its own: paho's would send again, in front of everything new, what the connection
    before has not confirmed.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        password: str | None,
        will: tuple[str, str],
        greet: Callable[[Client], None],
        losses: Losses,
    ) -> None:
        """Connect to nothing yet.

        Args:
            settings: Where the broker is.
            client_id: Name of this device there.
            password: Of the settings' user.
            will: Topic and text of what the broker tells, retained, when this device is gone.
            greet: Publishes what comes first on each connection.
            losses: Counts what was handed over and never confirmed.
        """
        self.place = f"{settings.host}:{settings.port}"
        self._settings = settings
        self._client_id = client_id
        self._password = password
        self._will = will
        self._greet = greet
        self._losses = losses
        self._lock = threading.Lock()
        self._client: Client | None = None
        # Each with the time by the monotonic clock at which it was sent, seconds.
        self._unconfirmed: list[tuple[float, MQTTMessageInfo]] = []
        self._reason = f"not connected to {self.place} yet"
        self._tried, self._ended, self._gone = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"broker {self.place}", daemon=True)

    def __enter__(self) -> Self:
        """Start to connect.

        Raises:
            FerError: The settings' certificates cannot be read.
        """
        self._context = _tls(self._settings.ca_file) if self._settings.tls else None
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Tell that this device is gone, and leave; wait for that a few seconds at most."""
        self._ended.set()
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            ends_s = time.monotonic() + _GOODBYE_S
            for _sent_s, info in self._unconfirmed:
                _wait(info, ends_s)
            _wait(client.publish(*self._will, qos=1, retain=True), ends_s)
            self._count_unconfirmed("the program ends")
            client.disconnect()
            self._gone.wait(_GOODBYE_S)
        self._gone.set()
        self._thread.join(_GOODBYE_S)

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """Send a message. Waits for the first attempt to connect, and a moment where much is on its way.

        Raises:
            LostError: There is no connection, or the broker has long confirmed nothing.
        """
        self._tried.wait(_FIRST_S)
        self._wait_for_room()
        with self._lock:
            if self._client is None:
                raise LostError(self._reason)
            if len(self._unconfirmed) >= _UNCONFIRMED:
                raise LostError(f"{self.place} confirms nothing")
            info = self._client.publish(topic, payload, self._settings.qos, retain)
            if info.rc:
                raise LostError(f"the connection to {self.place} is lost")
            self._unconfirmed.append((time.monotonic(), info))

    def _wait_for_room(self) -> None:
        """Forget what was confirmed; where too much is on its way, wait for the oldest as long as patience lasts."""
        self._forget_confirmed()
        oldest = self._unconfirmed[:1] if len(self._unconfirmed) >= _UNCONFIRMED else []
        for sent_s, info in oldest:
            _wait(info, sent_s + _PATIENCE_S)
            self._forget_confirmed()

    def _forget_confirmed(self) -> None:
        with self._lock:
            self._unconfirmed = [(sent_s, info) for sent_s, info in self._unconfirmed if not _is_confirmed(info)]

    def _keep(self) -> None:
        """Connect until the end, ever more rarely while that fails."""
        wait_s = 0.0
        while not self._ended.wait(wait_s):
            connected = self._attend()
            wait_s = _FIRST_RETRY_S if connected else min(2 * wait_s or _FIRST_RETRY_S, self._settings.retry_s)

    def _attend(self) -> bool:
        """Connect once, and stay until the connection is lost; tell whether there was one."""
        from paho.mqtt.enums import CallbackAPIVersion

        client, accepted, answered = self._make_client(CallbackAPIVersion), threading.Event(), threading.Event()
        self._gone.clear()

        def on_connect(_client: Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
            if code.is_failure:
                self._away(f"{self.place} refuses: {code}")
            else:
                self._greet(client)
                with self._lock:
                    self._client = client
                accepted.set()
            answered.set()

        def on_disconnect(_client: Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
            if accepted.is_set() or not answered.is_set():
                # What a killed broker leaves is "Unspecified error".
                why = "" if code == "Unspecified error" else f": {code}"
                self._away(f"the connection to {self.place} is lost{why}")
            answered.set()
            self._gone.set()

        client.on_connect, client.on_disconnect = on_connect, on_disconnect
        try:
            client.connect(self._settings.host, self._settings.port, self._settings.keepalive_s)
        except (OSError, ValueError) as error:  # a name that no host can have is a ValueError
            self._away(f"cannot reach {self.place}: {getattr(error, 'strerror', None) or error}")
            return False
        client.loop_start()
        if not answered.wait(_ANSWER_S):
            answered.set()
            self._away(f"{self.place} accepts connections, but does not answer")
            client.disconnect()
        self._tried.set()
        self._gone.wait()
        if not self._ended.is_set():
            client.loop_stop()
        return accepted.is_set()

    def _make_client(self, versions: type[CallbackAPIVersion]) -> Client:
        from paho.mqtt.client import Client

        client = Client(versions.VERSION2, self._client_id, reconnect_on_failure=False)
        client.will_set(*self._will, qos=1, retain=True)
        if self._settings.username:
            client.username_pw_set(self._settings.username, self._password)
        if self._context is not None:
            client.tls_set_context(self._context)
        return client

    def _away(self, reason: str) -> None:
        """Take note that there is no connection, and why."""
        with self._lock:
            self._client, self._reason = None, reason
        self._count_unconfirmed(reason)
        self._tried.set()

    def _count_unconfirmed(self, reason: str) -> None:
        with self._lock:
            unconfirmed = sum(not _is_confirmed(info) for _, info in self._unconfirmed)
            self._unconfirmed = []
        if unconfirmed:
            self._losses.add(reason, unconfirmed)


def _wait(info: MQTTMessageInfo, until_s: float) -> None:
    """Wait for a message to be confirmed, until that time by the monotonic clock at most."""
    left_s = until_s - time.monotonic()
    if left_s > 0:
        with contextlib.suppress(RuntimeError, ValueError):  # it never was sent
            info.wait_for_publish(left_s)


def _is_confirmed(info: MQTTMessageInfo) -> bool:
    try:
        return info.is_published()
    except (RuntimeError, ValueError):  # it never was sent
        return False


def _tls(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise FerError(f"cannot read the authorities of mqtt.ca_file {ca_file}: {error.strerror or error}") from error
