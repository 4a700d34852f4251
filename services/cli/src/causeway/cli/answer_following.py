"""Waiting for what an answer cites to change, and finding an answer again by its id."""

import sys
from contextlib import aclosing

from rich.markup import escape

from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import UserError
from causeway.cli.json_text import print_json
from causeway.cli.messages import say
from causeway.client import AnswerGiven, AnswerInvalidated, Client


async def follow_answer(
    client: Client, answer_id: str, *, kb: str, after_seq: int, language: str, as_json: bool
) -> None:
    """Wait until the answer is invalidated, and show it; what was told before, after `after_seq`, is shown at once.
    Another document of the answer may change later: the answer is doubtful from the first on."""
    STDERR.print(f"[dim]{say('following', language)}[/]")
    async with aclosing(client.follow_invalidations({answer_id}, kb=kb, after_seq=after_seq)) as invalidations:
        async for told in invalidations:
            if as_json:
                print_json(told)
            else:
                STDOUT.print(f"[bold yellow]{escape(invalidation_line(told, language))}[/]")
                sys.stdout.flush()
            return


def invalidation_line(told: AnswerInvalidated, language: str) -> str:
    """What happened to the document, in the language of the question."""
    document = f"{told.origin}/{told.document_id}" if told.origin else told.document_id
    return say(f"invalidated_{told.change.value}", language, document=document, revision=told.revision)


async def find_answer(client: Client, answer_id: str, kb: str) -> AnswerGiven:
    """The answer as the site kept it.

    Raises:
        UserError: it is not kept, or no longer.
    """
    found = await client.answer_given(answer_id, kb or None)
    if found is None:
        where = f" in {kb}" if kb else ""
        raise UserError(
            f"no answer {answer_id!r} is kept{where}",
            "Copy the id from the last line of the answer; answers are kept for 30 days, at the site that gave them.",
        )
    return found
