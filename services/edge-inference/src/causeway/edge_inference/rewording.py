"""One answer on its way through the local model: the extractive text stands unless what comes out is supported."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec

from causeway.edge_inference.answering import Answered
from causeway.edge_inference.errors import GenerationError
from causeway.edge_inference.generating import SUPPORT_MIN, cleaned, support
from causeway.edge_inference.ports import Generator, Prompt
from causeway.edge_inference.stopwatch import Stopwatch
from causeway.edge_inference.wording import nothing_written, set_aside
from causeway.proto.answers import Answer, Ask, Author


class LocalModel:
    """Rewords answers where there is a generator, the asker wants it, and there is something to reword."""

    def __init__(self, generator: Generator | None, count: Callable[[Author], None] = lambda author: None) -> None:
        """`count` is told who wrote each answer that the model was asked to word."""
        self._generator = generator
        self._count = count

    def rewording(self, ask: Ask, answered: Answered, local: Answer, watch: Stopwatch) -> "Rewording | None":
        """One answer on its way through the model, or None."""
        if self._generator is None or not ask.generate or local.abstained:
            return None
        prompt = Prompt(question=ask.question, passages=answered.passages, language=local.language)
        return Rewording(self._generator, prompt, local, watch, self._count)


class Rewording:
    """Iterate `pieces`, then take `answer`."""

    def __init__(
        self,
        generator: Generator,
        prompt: Prompt,
        extract: Answer,
        watch: Stopwatch,
        count: Callable[[Author], None] = lambda author: None,
    ) -> None:
        self._count = count
        self._generator = generator
        self._prompt = prompt
        self._extract = extract
        self._watch = watch
        self._text = ""
        self._failure = ""

    async def pieces(self, timeout_s: float) -> AsyncGenerator[str, None]:
        """What the model writes, as it comes. A failure ends it early and is told by `answer`."""
        with self._watch.part("generate"):
            try:
                async with aclosing(self._generator.generate(self._prompt, timeout_s=timeout_s)) as generated:
                    async for piece in generated:
                        self._text += piece
                        yield piece
            except GenerationError as error:
                self._failure = str(error)

    def answer(self) -> Answer:
        """The answer with the model's text, or the extract with the reason why that stands. Both keep the sentences."""
        answer = self._answer()
        self._count(answer.written_by)
        return answer

    def _answer(self) -> Answer:
        latency_ms = self._watch.latency_ms()
        text = cleaned(self._text)
        failure = self._failure or _objection(text, self._prompt)
        if failure:
            return msgspec.structs.replace(self._extract, reason=failure, latency_ms=latency_ms)
        return msgspec.structs.replace(
            self._extract,
            text=text,
            written_by=Author.MODEL,
            model=self._generator.model_name,
            latency_ms=latency_ms,
        )


def _objection(text: str, prompt: Prompt) -> str:
    if not text:
        return nothing_written(prompt.language)
    share = support(text, prompt)
    return "" if share >= SUPPORT_MIN else set_aside(share, prompt.language)
