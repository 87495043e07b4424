"""Where Zoom or others say so: addresses that whoever reads an explanation can open."""

from __future__ import annotations

DATA_TYPES = "https://developers.zoom.us/docs/rtms/data-types/"
TROUBLESHOOTING = "https://developers.zoom.us/docs/rtms/troubleshooting/"
MEDIA = "https://developers.zoom.us/docs/rtms/meetings/media/"
SINGLE_VIDEO = "https://developers.zoom.us/docs/rtms/meetings/video-single-stream/"
RECONNECTION = "https://developers.zoom.us/docs/rtms/meetings/failover-reconnection/"
ADD_FEATURES = "https://developers.zoom.us/docs/rtms/meetings/add-features/"
HOST_CONTROLS = "https://developers.zoom.us/docs/rtms/meetings/ux-host-admin-tools-ctrls/"
CHANGELOG = "https://developers.zoom.us/changelog/rtms/"
WEBHOOKS = "https://developers.zoom.us/docs/api/webhooks/"
RATE_LIMITS = "https://developers.zoom.us/docs/api/rate-limits/"
API_ERRORS = "https://developers.zoom.us/docs/api/errors/"
OAUTH_ERRORS = "https://developers.zoom.us/docs/integrations/oauth-error-messages/"
SAMPLES = "https://github.com/zoom/rtms-samples/blob/main/TROUBLESHOOTING.md"
TERRAFORM = "https://github.com/zoom/rtms-terraform-aws"

SDK = "observed with Zoom's SDK 1.1.0"
MEASURED = "reported by developers who measured it in real meetings"

_THREADS = {
    138941: "rtms-signaling-socket-handshake",
    140368: "rtms-behavior-differences-between-app-auto-start-vs-manually-starting-rtms-via-api",
    141905: "meeting-rtms-started-webhook-missing-websocket-url-stream-id",
    142247: "rtms-starts-then-immediately-stops-with-stop-reason-18-in-developer-account-but-does-not-start-at-all-in-external-free-account",
    142303: "does-startrtms-require-the-meeting-host-to-have-a-paid-pro-licensed-zoom-plan",
    142847: "general-app-rtms-error-13262-not-authorized-to-access-meeting-content-despite-completing-all-ui-setup-steps",
    144109: "can-an-rtms-app-auto-start-on-host-only",
    144213: "rtms-start-api-returns-2310-although-rtms-scopes-and-events-are-configured",
    144332: "realtime-websocket-events-catchup",
}


def thread(number: int) -> str:
    """Give the address of a thread in Zoom's developer forum."""
    return f"https://devforum.zoom.us/t/{_THREADS[number]}/{number}"
