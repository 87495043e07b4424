"""Paint the test pictures with ffmpeg: `python -m rtmsd.simulator.pictures.make`.

Needs ffmpeg with libx264 on the PATH (Debian: `apt-get install ffmpeg`; made with 5.1). Nothing imports this module.
Each camera is a colour of its own with ffmpeg's counting test pattern before it, the shared screen the pattern alone:

    ffmpeg -f lavfi -i "color=c=COLOUR:s=640x360:r=30[wall];testsrc=s=192x144:r=30:decimals=2[clock];[wall][clock]overlay=…"
           -frames:v 30 -c:v libx264 … -bf 0 -g 30 camera0.h264
           -r 1 -frames:v 3 -c:v mjpeg camera0.mjpeg
           -r 1 -frames:v 3 -c:v png -f image2pipe camera0.png
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_COLOURS = ("red", "green", "blue", "orange", "purple", "gray")
_PATTERN = "testsrc=s={size}:r=30:decimals=2"
_CAMERA = (
    "color=c={colour}:s=640x360:r=30[wall];testsrc=s=192x144:r=30:decimals=2[clock];"
    "[wall][clock]overlay=x={x}:y=108"
)
# One slice for each picture, no B frames, parameter sets before each key frame, no note about the encoder.
_X264 = "keyint=30:min-keyint=30:scenecut=0:slices=1:sliced-threads=0:repeat-headers=1:bframes=0:threads=1"
_OUTPUTS = {
    "h264": ["-frames:v", "30", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryslow", "-crf", "34",
             "-x264-params", _X264, "-bsf:v", "filter_units=remove_types=6", "-f", "h264"],
    "mjpeg": ["-r", "1", "-frames:v", "3", "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "12", "-f", "mjpeg"],
    "png": ["-r", "1", "-frames:v", "3", "-pix_fmt", "pal8", "-c:v", "png", "-f", "image2pipe"],
}  # fmt: skip


def _paint(name: str, graph: str) -> None:
    for ending, how in _OUTPUTS.items():
        source = graph + ",format=rgb24" if ending == "png" else graph
        command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-map_metadata", "-1"]
        subprocess.run(  # noqa: S603  # our own pictures
            [
                *command,
                "-fflags",
                "+bitexact",
                "-flags:v",
                "+bitexact",
                *how,
                str(_HERE / f"{name}.{ending}"),
            ],
            check=True,
        )


def main() -> None:
    for number, colour in enumerate(_COLOURS):
        _paint(f"camera{number}", _CAMERA.format(colour=colour, x=16 + 80 * number))
    _paint("screen", _PATTERN.format(size="960x540"))
    pictures = [path for path in _HERE.iterdir() if path.suffix[1:] in _OUTPUTS]
    sys.stdout.write(f"{len(pictures)} files, {sum(path.stat().st_size for path in pictures)} bytes\n")


if __name__ == "__main__":
    main()
