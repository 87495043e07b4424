"""What people see when something is wrong, with its cause and what to do: for those who have no code to look up (protocol.md §9.1)."""

from __future__ import annotations

from dataclasses import dataclass

from rtmsd.diagnosis import sources
from rtmsd.diagnosis.sources import thread


@dataclass(frozen=True)
class Symptom:
    """A row: its `name` can be typed, `seen` says what somebody sees; the rest as in `Explanation`."""

    number: int
    name: str
    seen: str
    cause: str
    remedy: str
    source: str


SYMPTOMS = (
    Symptom(
        1,
        "silent-start",
        "The start through the API is accepted (2xx) and nothing follows, when a participant has joined before the host.",
        "Nobody who may approve the app is in the meeting: a start for a user with the token of an account works only when that "
        "user is invited and has joined. A prompt for approval may also be waiting in the host's client.",
        'With start = "manual" rtmsd asks again when the host joins, and on a timer. A host\'s own authorisation ([[apps.hosts]]) '
        'needs nobody there, and so does Zoom\'s auto-start (start = "auto").',
        f"{thread(140368)}, {sources.CHANGELOG} (18 January and 4 July 2026)",
    ),
    Symptom(
        2,
        "wrong-pair",
        "The stream stops with reason 18 about a second after it began; Zoom's SDK confirms the join with reason 960.",
        "The handshake was signed with credentials of another app than the one that the stream belongs to: the development pair "
        "for the production app or the other way round, another app's secret, a secret that was cut short, a public client id.",
        "Give every environment its own [[apps]], each with the Secret Token of its own event subscription: rtmsd signs with the "
        "credentials beside the secret that verified the webhook. Uninstall the environment that is not meant.",
        f"{thread(142247)}, {thread(138941)}",
    ),
    Symptom(
        3,
        "two-builds",
        "The development and the production build of an app are in one account, and every event comes twice.",
        "Both subscriptions fire, and each build starts its own stream for the same user.",
        "Uninstall one of the two in the Marketplace (Manage, Added Apps), or give each its own [[apps]] and endpoint path.",
        thread(142247),
    ),
    Symptom(
        4,
        "no-webhook",
        "In an external, free or Basic account nothing ever starts, and no webhook comes.",
        "One of these, in this order: Share realtime meeting content with apps is off there; the user has not authorised the app "
        "through its (beta) authorization URL; the account is not verified; the host's organisation does not allow apps of others; "
        "the account that owns the app has no Developer Pack credits.",
        "Let the user open the app's authorization URL, then Settings, Zoom Apps in Zoom's web portal. Verify the host's account. "
        "Buy credits for the account that owns the app: the host's account needs none. Name such meetings in [[apps.expected]], so that "
        "rtmsd tells when one never starts.",
        f"{thread(142247)}, {thread(142303)}",
    ),
    Symptom(
        5,
        "start-without-address",
        "The webhook rtms_started comes without server_urls or rtms_stream_id.",
        "The trial of the Developer Pack of the account that owns the app has expired.",
        "Buy Developer Pack credits for that account.",
        f"{thread(141905)} (one report)",
    ),
    Symptom(
        6,
        "not-entitled",
        "The start is refused with 2310.",
        "The account that owns the app has no Developer Pack, an expired one, or one bought less than two minutes ago; or Zoom has "
        "not enabled the app's id.",
        "Wait two minutes after buying: rtmsd asks again by itself. If it stays so, ask Zoom's support with the app's id.",
        f"{sources.TROUBLESHOOTING}, {thread(144213)}",
    ),
    Symptom(
        7,
        "not-the-host",
        "The start is refused with 2308.",
        "Whoever asks is neither host nor alternative host, or joined by a link without being on the invitation list.",
        "Invite the user by name, or use the host's own authorisation ([[apps.hosts]]).",
        sources.TROUBLESHOOTING,
    ),
    Symptom(
        8,
        "app-not-allowed",
        "The start is refused with 403 and code 13262.",
        "The app is not on the list of Allow apps to access meeting content of that account.",
        "An administrator adds it in Zoom's web portal: Settings, Zoom Apps.",
        thread(142847),
    ),
    Symptom(
        9,
        "too-early",
        "The start is refused with 3000 right after meeting.started.",
        "Zoom's API hears of the meeting a moment later than the webhook tells.",
        "rtmsd asks again after one to ten seconds; nothing needs to be done.",
        "reported by two independent developers",
    ),
    Symptom(
        10,
        "normal-close",
        'The signaling connection closes at once, with code 1000 and "Normal close".',
        "Zoom does not accept the signature: wrong secret, spaces in it, or an id that was changed on the way. Zoom does the same to "
        "a client that reads only text messages, or does not answer keep-alives.",
        "Check client_id and client_secret of the app that rtmsd names; rtmsd itself reads both kinds of messages and answers.",
        f"{thread(138941)}, {sources.SAMPLES}",
    ),
    Symptom(
        11,
        "duplicate-signaling",
        'The handshake is refused with status 8, "duplicate signal request".',
        "There is a second connection to the stream: a repeated webhook was taken for a new one, a second program serves the app, or "
        "an old socket is not closed yet.",
        "See that only one rtmsd serves the app; it tries again after 1.5, 3 and 6 s by itself.",
        "Zoom's samples, https://github.com/zoom/rtms-samples",
    ),
    Symptom(
        12,
        "webhook-too-slow",
        "The connection drops every five minutes or so, when a second one comes.",
        "The webhook was not answered within 3 s, so that Zoom sends it again after five minutes, and a second join kicks the first.",
        "rtmsd answers before it acts, and takes repeats for what they are: look for a slow proxy in front of it, and for a second "
        "program that serves the same app.",
        sources.SAMPLES,
    ),
    Symptom(
        13,
        "keep-alive",
        "The connection drops after 30 to 40 s.",
        "Keep-alives were not answered on one of the two connections, or the program was busy with something else; stop reason 24, "
        "13 or 14 confirms it.",
        "See whether the machine is overloaded: rtmsd answers from its readers, unless they get no time.",
        f"{sources.RECONNECTION}, {sources.SDK}",
    ),
    Symptom(
        14,
        "no-media",
        "The stream is joined, and no media come.",
        "The scope of that medium is missing, so that Zoom names no address for it; the stream is paused; everyone is muted; or the "
        "ready message was not sent on the signaling connection.",
        "Look at the status page: it names each medium that is missing, and pauses. Add the scope that it names, and let every user "
        "authorise the app again.",
        f"{sources.ADD_FEATURES}, {sources.SDK}",
    ),
    Symptom(
        15,
        "missing-scope",
        "A handshake is refused with a status from 9 to 13.",
        "The scope of that medium was not granted.",
        "Add it to the app, not as an optional one, and let every user authorise the app again.",
        sources.ADD_FEATURES,
    ),
    Symptom(
        16,
        "audio-refused",
        "A handshake is refused with a status from 17 to 24.",
        "The audio parameters do not go together: Opus needs 48000 Hz, G.711 is mono, L16 is not sent as RTP.",
        "Take [apps.media] back to its defaults (L16, 16000 Hz, mono, 100 ms); rtmsd validate refuses what cannot be.",
        sources.MEDIA,
    ),
    Symptom(
        17,
        "pictures-not-video",
        "25 frames per second were asked for, and 5 pictures per second come as JPG.",
        "Without a codec in the request Zoom sends JPG, which it does at 5 per second at most.",
        'Set video_codec = "H264" in [apps.media], which is the default: rtmsd always sends it.',
        sources.MEDIA,
    ),
    Symptom(
        18,
        "no-individual-video",
        "Video of a single participant was asked for and does not come.",
        "It comes only after a subscription to a participant whose camera is on.",
        'rtmsd subscribes by itself with video = "individual": see in events.jsonl whether anybody switched the camera on.',
        sources.SINGLE_VIDEO,
    ),
    Symptom(
        19,
        "owner-flips",
        "Two users have the same app in one meeting, and the recording jumps from one to the other.",
        "There are two streams, one for each user; a program that goes by the meeting mixes them up.",
        "rtmsd records each as a recording of its own. Set original_host = true in [apps.only] to take only the host's.",
        thread(144109),
    ),
    Symptom(
        20,
        "webhook-refused",
        "Webhooks are answered with 401.",
        "The Client Secret stands where the Secret Token belongs, a proxy rewrites the body, or the secret is that of another "
        "subscription.",
        "Copy the Secret Token from Features, Access, Event subscription into webhook_secrets, and let the proxy pass the body as it "
        "is. rtmsd doctor tells which of them it is, when webhook.public_url is set.",
        "https://github.com/zoom/rtms/issues/72",
    ),
    Symptom(
        21,
        "endpoint-disabled",
        "Zoom disables the webhook endpoint.",
        "Zoom asks every 72 hours whether the endpoint still answers the validation, and gives up after six failures.",
        "Let rtmsd run always, press Validate again, and let rtmsd doctor check it: webhook.public_url in the configuration.",
        sources.WEBHOOKS,
    ),
    Symptom(
        22,
        "starts-everywhere",
        "The app starts in every meeting of a user, which costs money.",
        "Auto-start is on for the whole account or for a large group.",
        'Assign auto-start to single users or groups in Zoom\'s web portal, and narrow [apps.only]; with refused = "stop" there, '
        "rtmsd stops what it does not take.",
        f"{thread(144109)}, and {sources.MEASURED}",
    ),
    Symptom(
        23,
        "stops-with-the-host",
        "The recording ends when the host leaves, with stop reason 3.",
        "The user whose app it is left; before Zoom's continuous meeting sharing (30 October 2026) this ended the stream.",
        'Leave continuous meeting sharing on. With start = "manual" rtmsd starts the app again when that user comes back.',
        sources.CHANGELOG,
    ),
    Symptom(
        24,
        "wrong-end-reason",
        "An ordinary end looks like a crash, or the other way round.",
        "The connections close before the webhook with the reason comes.",
        "rtmsd keeps ended streams, and puts the reason right when it comes: subscribe the app to rtms_stopped.",
        sources.MEASURED,
    ),
    Symptom(
        25,
        "who-is-who",
        "Guests have changing names, or different people have the same user id.",
        "The user id counts connections, and guests choose their names themselves.",
        "Use Zoom's registration, so that each person has a link. A user id that comes back under another name is told in "
        "events.jsonl as participant_renamed.",
        sources.MEASURED,
    ),
    Symptom(
        26,
        "wrong-language",
        "The transcript is in the wrong language for the first 30 s.",
        "Zoom begins with English until it has found out which language is spoken.",
        "Set language in [apps.media]; with detect_language = false Zoom stays with it.",
        sources.CHANGELOG,
    ),
    Symptom(
        27,
        "out-of-sync",
        "Sound and pictures are seconds apart.",
        "Zoom keeps sound from before the join and sends it later, but no video.",
        "Place both by their timestamps, not by arrival, as rtmsd's recordings do: zero_ms in the manifest is sample 0.",
        sources.MEDIA,
    ),
    Symptom(
        28,
        "setting-hidden",
        "Nothing starts, and the administrator finds no setting for auto-start.",
        "Share realtime meeting content with apps is off at the account, which hides the list of auto-start apps.",
        "Switch it on in Zoom's web portal: Account Management, Account Settings, Zoom Apps; then add the app to Auto-start apps.",
        sources.HOST_CONTROLS,
    ),
    Symptom(
        29,
        "waiting-room",
        "A meeting with guests only never starts, though they may join before the host.",
        "A waiting room overrides joining before the host: the guests wait, and the meeting has not begun.",
        "Switch the waiting room off for such meetings.",
        sources.MEASURED,
    ),
    Symptom(
        30,
        "deaf-after-crash",
        "After a crash of the service nothing is recorded, though meetings go on.",
        "What was known of the streams was in memory only, and their webhooks were acknowledged.",
        "rtmsd keeps both on disk before it answers, and rejoins streams that it lost less than 60 s ago: let systemd start it again "
        "at once. Older streams are started anew with [apps.manual].",
        sources.TERRAFORM,
    ),
    Symptom(
        31,
        "no-events-after-reconnect",
        "After a reconnect no more events come, of joins or speakers.",
        "Zoom forgets the subscription with the connection, and Zoom's own SDK does not renew it.",
        "rtmsd subscribes again after every reconnect; a program with the SDK has to do so itself.",
        sources.SDK,
    ),
    Symptom(
        32,
        "late-start",
        "The webhook rtms_started arrives five minutes late, or later.",
        "It is a repeat: the first one could not be delivered, and Zoom waits only about 60 s for somebody to join.",
        "See why the first one failed: was rtmsd or its proxy down, and does the endpoint answer within 3 s? With [apps.manual] rtmsd "
        "starts the app again.",
        thread(144332),
    ),
)
"""All of them, in the order of their numbers."""
