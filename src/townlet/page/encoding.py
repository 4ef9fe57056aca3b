"""Pictures as a film in a file: GIF by Pillow, MP4 by ffmpeg, which the extra `video` brings."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from PIL import Image

from townlet.environment.gym.picture import Picture

KINDS = (".mp4", ".gif")


class FilmError(Exception):
    """A film cannot be made; one line."""


def write_film(path: Path, pictures: Iterable[Picture], fps: int) -> None:
    """Write pictures, each [height, width, 3] uint8 of even sizes, so many a second; the ending says which kind.

    Raises FilmError for another ending and where ffmpeg is not there, and OSError.
    """
    if path.suffix.lower() not in KINDS:
        raise FilmError(f"{path}: expected a name that ends in {' or '.join(KINDS)}")
    unfinished = path.with_name(f".{path.stem}.tmp{path.suffix}")  # ffmpeg reads the kind from the ending
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    try:
        unfinished.touch()  # where nothing can be written that is said at once, and by its name
        write(unfinished, iter(pictures), fps)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_gif(path: Path, pictures: Iterator[Picture], fps: int) -> None:
    images = (Image.fromarray(picture).quantize(128, dither=Image.Dither.NONE) for picture in pictures)
    first = next(images)
    first.save(path, save_all=True, append_images=images, duration=round(1000 / fps), loop=0, optimize=False)


def _write_mp4(path: Path, pictures: Iterator[Picture], fps: int) -> None:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise FilmError("an MP4 needs ffmpeg: pip install 'townlet[video]', or choose a GIF") from None
    first = next(pictures)
    height, width, _ = first.shape
    writer = imageio_ffmpeg.write_frames(str(path), (width, height), fps=fps, macro_block_size=2, quality=7)
    writer.send(None)
    try:
        for picture in chain([first], pictures):
            writer.send(picture.tobytes())
    finally:
        writer.close()
