"""The demo's questions, and whether an answer is what the documents say. Pure but for reading the file."""

from pathlib import Path

import msgspec
import yaml

from causeway.cli.errors import BadDataError
from causeway.cli.evaluation.metrics import holds
from causeway.proto.answers import Answer


class DemoQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question with what must come of it."""

    kind: str
    question: str
    contains: str = ""
    document: str = ""
    refused: bool = False

    def problem(self, answer: Answer) -> str:
        """What is wrong with the answer; empty when it is right."""
        if self.refused:
            return "" if answer.abstained else "it should have been refused"
        if answer.abstained:
            return "it was refused"
        if not holds(answer.text, [self.contains]):
            return f"it does not say {self.contains!r}"
        if not answer.citations or answer.citations[0].document_id != self.document:
            return f"its first source is not {self.document}"
        return ""


def read_questions(folder: Path) -> list[DemoQuestion]:
    """The questions in the demo's folder.

    Raises:
        BadDataError: it is not the demo's folder.
    """
    file = folder / "questions.yaml"
    try:
        return msgspec.convert(yaml.safe_load(file.read_text(encoding="utf-8")), list[DemoQuestion])
    except OSError as error:
        raise BadDataError(
            f"{folder} is not the demo's folder: {error}", "Run it where the project lies, or name it with --folder."
        ) from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise BadDataError(f"{file}: {error}") from error
