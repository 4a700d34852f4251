"""Text of pictures by tesseract, if it is installed; otherwise a clear refusal."""

import os
import subprocess

from causeway.ingestor.parsing.block import Code, Limits, ParseFailure
from causeway.ingestor.parsing.outline import without_gaps

_PAGE_TEXT_CHARS_MAX = 200_000


def require(limits: Limits) -> None:
    """Refuse a picture where no engine is installed."""
    if not limits.tesseract:
        raise ParseFailure(
            Code.NEEDS_OCR,
            "is a picture, and no OCR engine is installed: install tesseract with chi_sim and eng, or publish a copy "
            "with text in it",
        )


def read(picture: bytes, limits: Limits) -> str:
    """The text in a picture file.

    Raises:
        ParseFailure: no engine is installed, it can not read the picture, or it takes too long.
    """
    require(limits)
    # Segmentation mode 1 also finds out which way is up; it needs the data file `osd`, which Debian installs along.
    command = [limits.tesseract, "stdin", "stdout", "-l", limits.ocr_languages, "--psm", "1"]
    environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(
            command, input=picture, capture_output=True, timeout=limits.ocr_page_timeout_s, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ParseFailure(
            Code.TIMEOUT,
            f"has a picture that OCR could not read within {limits.ocr_page_timeout_s:.0f} s: publish a copy with text",
        ) from error
    except OSError as error:
        raise ParseFailure(Code.NEEDS_OCR, f"needs OCR, and tesseract can not be started ({error})") from error
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ParseFailure(
            Code.NEEDS_OCR, f"needs OCR, which failed ({' '.join(words)[:200]}): check the language data"
        )
    return without_gaps(done.stdout.decode("utf-8", "replace")[:_PAGE_TEXT_CHARS_MAX])
