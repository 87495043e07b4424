"""An app and the controller of its account, with secrets that are new each time."""

from __future__ import annotations

import secrets

from rtmsd.simulator.cloud.world import CloudApp, Controller


def new_credentials(app_name: str) -> tuple[CloudApp, Controller]:
    app = CloudApp(
        name=app_name,
        client_id="simulated-client-id",
        client_secret=secrets.token_urlsafe(24),
        webhook_secret=secrets.token_urlsafe(24),
    )
    controller = Controller(
        account_id=app.account_id,
        client_id="simulated-controller-id",
        client_secret=secrets.token_urlsafe(24),
    )
    return app, controller
