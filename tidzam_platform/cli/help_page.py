"""The page of ``./tidzam --help``: what this is, where to begin, every command in one line.

The bootstrap prints it before anything is installed, with whatever ``python3`` there is: no newer syntax.
"""

INTRODUCTION = """\
Tidzam hears what happens around microphones: birds, frogs, insects, rain, cars, voices.
It finds sounds in recordings, learns from the labels that people give, and serves
what it learned only after a check that it is good."""

FIRST_STEPS = (
    ("./tidzam demo", "see all of it at work on sounds that it makes itself"),
    ("./tidzam dataset import labels.csv", "bring your own labelled clips"),
    ("./tidzam generation run", "learn from them, check, and serve if it is good"),
    ("./tidzam start", "run everything in the background"),
    ("./tidzam source add pond URL", "listen to a microphone"),
    ("./tidzam analyze recording.opus", "what is heard in a file"),
)

# Every command once, in groups by what a person wants to do; a test holds this to the entry points.
COMMANDS = (
    ("Look around", (
        ("demo", "a made site: learn, serve, listen, show what was heard"),
        ("check", "what is installed, what is missing; starts broken processes again"),
    )),
    ("Listening live", (
        ("source", "what is listened to: add, test, list, remove"),
        ("status", "each channel: since when it sounds or is silent, and why"),
        ("listen", "hear one channel, or write it to a file"),
        ("events", "follow what is heard, as it is heard"),
        ("outputs", "who is told of it: webhooks, MQTT, chain-api, e-mail"),
        ("capture", "let a Tidzam, here or elsewhere, hear this computer's microphone"),
        ("token", "who may change what over HTTP and Socket.IO"),
    )),
    ("Audio and recordings", (
        ("analyze", "find sounds in files, or on channels as they sound"),
        ("detections", "what was heard, live and in the archive; as CSV, JSON, Raven, Audacity, Darwin Core"),
        ("why", "why something was heard: generation, dataset versions, whose labels"),
        ("archive", "index a folder of recordings"),
        ("reprocess", "hear past days again with a generation, and see what differs"),
        ("audio", "look into an audio file: codec, channels, holes"),
    )),
    ("Learning", (
        ("rule", "which sounds of live audio become clips, and which never: add, list, remove"),
        ("queue", "what to label next: what would teach most first"),
        ("label", "what people say of recordings, clips and detections: import, list"),
        ("dataset", "import labelled clips, build dataset versions"),
        ("taxonomy", "rename, merge and split classes; labels stay as they were given"),
        ("generation", "train, evaluate and serve a generation of classifiers"),
        ("evaluate", "score a generation on labelled clips or recordings"),
        ("bench", "measure quality and speed beside a reference"),
        ("tensorboard", "losses, figures and pictures of each training in the browser"),
        ("dagster", "the same as a data platform in the browser"),
    )),
    ("Keeping", (
        ("backup", "copy everything to a safe place while it runs; check such copies"),
        ("restore", "a backup into a new data folder"),
        ("retention", "what the settings let go after a while: shows it, removes it"),
        ("erase", "silence what was heard of people, in recordings and clips"),
    )),
    ("Running", (
        ("start", "all processes of this machine, or some of them, in the background"),
        ("stop", "stop them, with all that they started"),
        ("restart", "stop and start them, e.g. after a change of settings"),
        ("engine", "the realtime engine: sources, JACK, mixer, archive, Icecast"),
        ("analyzer", "hears every channel of the engine: detections, clips, outputs"),
        ("web", "the HTTP and Socket.IO API, and its pages"),
        ("serve", "the model server: TensorFlow Serving's API"),
        ("test", "run the project's tests"),
    )),
)  # fmt: skip

ENDING = """\
Every command explains itself: ./tidzam COMMAND --help. Most answer programs with --json.
Data lives in one folder: --home, else TIDZAM_HOME, else var/ beside this program."""

BEFORE_SET_UP = """
Nothing is installed yet. The first command sets Tidzam up, which takes some minutes and 3 GB, once: Python
packages in .venv beside this program, and, as root or where sudo asks for no password, Debian's ffmpeg, mpv,
jackd2, icecast2 and opus-tools (TIDZAM_INSTALL_PARTS=no leaves those to you)."""


def text() -> str:
    """The whole page but for the options, which the command line knows."""
    width = max(len(name) for _, commands in COMMANDS for name, _ in commands)
    parts = ["Usage: ./tidzam [OPTIONS] COMMAND [ARGUMENTS]", INTRODUCTION]
    parts.append("First steps:\n" + _rows(FIRST_STEPS, max(len(line) for line, _ in FIRST_STEPS)))
    parts += [f"{group}:\n{_rows(commands, width)}" for group, commands in COMMANDS]
    return "\n\n".join([*parts, ENDING])


def _rows(pairs: "tuple[tuple[str, str], ...]", width: int) -> str:
    return "\n".join(f"  {left:<{width}}  {right}" for left, right in pairs)
