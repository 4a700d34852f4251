"""`causeway feedback`: say that an answer was right or wrong, or what it should have been."""

import asyncio
import enum
from typing import Annotated

import typer

from causeway.cli.answer_following import find_answer
from causeway.cli.commands.ask import KbIfAny
from causeway.cli.connection import Address, Where, at_a_place
from causeway.cli.console import STDOUT
from causeway.cli.errors import UserError
from causeway.cli.json_text import print_json
from causeway.cli.messages import label_language, say
from causeway.cli.sessions import session
from causeway.client import Verdict
from causeway.proto.feedback import CORRECTED_CHARS_MAX


class Said(enum.StrEnum):
    """What a person can say."""

    RIGHT = "right"
    WRONG = "wrong"


Id = Annotated[str, typer.Argument(metavar="ANSWER_ID", help="The id in the last line of the answer.")]
Word = Annotated[Said, typer.Argument(metavar="right|wrong", help="Whether it was right.")]
Corrected = Annotated[str, typer.Option("--corrected", help="With wrong: what the answer should have been.")]
Asker = Annotated[str, typer.Option("--asker", help="Who asked, where the question said so.")]
Json = Annotated[bool, typer.Option("--json", help="What was noted, as JSON.")]
Lang = Annotated[str | None, typer.Option("--lang", help="zh or en (the answer's).")]


def register(app: typer.Typer) -> None:
    """Add `feedback`."""
    app.command("feedback")(feedback)


@at_a_place
def feedback(
    where: Where,
    answer_id: Id,
    verdict: Word,
    corrected: Corrected = "",
    kb: KbIfAny = "",
    asker: Asker = "",
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Say whether an answer was right. The first verdict of its asker counts: for how sure the site may be of its
    answers, and a wrong one is not given again from the cache."""
    if verdict is Said.RIGHT and corrected:
        raise UserError("a right answer needs no correction", f"causeway feedback {answer_id} wrong --corrected TEXT")
    if len(corrected.strip()) > CORRECTED_CHARS_MAX:
        raise UserError(
            f"a correction has at most {CORRECTED_CHARS_MAX} characters, and this one {len(corrected.strip())}",
            "Say only what the answer should have been, and publish a document for the rest.",
        )
    said = Verdict.CORRECTED if corrected else Verdict(verdict.value)
    asyncio.run(_feedback(where.address(), answer_id, said, corrected, kb, asker, as_json, lang))


async def _feedback(
    address: Address,
    answer_id: str,
    verdict: Verdict,
    corrected: str,
    kb: str,
    asker: str,
    as_json: bool,
    lang: str | None,
) -> None:
    async with session(address) as client:
        given = await find_answer(client, answer_id, kb)
        if given.asker and given.asker != asker:
            raise UserError(
                f"the answer {answer_id!r} was given to somebody else" if asker else "the answer was given to somebody",
                "Only the asker's verdict counts: name the asker with --asker, as in the question.",
            )
        await client.feedback(given.kb, answer_id, verdict, corrected_text=corrected, asker=asker)
    if as_json:
        print_json({"answer_id": answer_id, "kb": given.kb, "verdict": verdict.value})
    else:
        STDOUT.print(say(f"feedback_{verdict.value}", label_language(lang, given.language)))
