"""`causeway calibrate`: makes the confidence of a knowledge base a probability, from labelled questions or feedback."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from causeway.calibration.calibration_file import CalibrationFile, decode_file, encode_file, refuse_other_space
from causeway.calibration.errors import CalibrationError
from causeway.calibration.fitting import Fitted, Labelled, calibrate
from causeway.cli.calibration_folder import FILE, versioned, write_folder
from causeway.cli.calibration_text import calibration_table, groups_text
from causeway.cli.commands.evaluation_site import evaluation_site
from causeway.cli.connection import Address, Kb, Where, perhaps_at_a_place
from causeway.cli.console import STDERR, STDOUT
from causeway.cli.errors import UserError
from causeway.cli.evaluation.feedback_labels import feedback_labels
from causeway.cli.evaluation.labelling import label, label_with_withheld, questions_in
from causeway.cli.evaluation.sets import EvaluationSet, Fields, Question, load_set
from causeway.cli.evaluation.site_run import SiteRun
from causeway.cli.json_text import print_json
from causeway.cli.kbs import check_kb_name
from causeway.cli.sessions import session
from causeway.client import Client
from causeway.proto import Message, UndecodableError, streams, subjects
from causeway.proto.calibration import CalibrationFitted
from causeway.proto.feedback import AnswerAudited, AnswerGiven, Feedback
from causeway.proto.knowledge import ChunkEmbedded

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder with questions.jsonl (qid, pid, question, answers), as for `causeway eval`."),
]
FromFeedback = Annotated[bool, typer.Option("--feedback", help="From verdicts and audits of the site's own answers.")]
File = Annotated[
    Path | None, typer.Option("--file", help="Fit nothing: put this calibration.json in force, if it fits the site.")
]
QuestionField = Annotated[str, typer.Option("--question-field", help="Key of the question, such as q_zh.")]
PassageField = Annotated[str, typer.Option("--passage-field", help="Key of the passage's text, such as en.")]
AnswerField = Annotated[
    str, typer.Option("--answer-field", help="Key of the gold answers; answers, or a_LANG beside q_LANG.")
]
Limit = Annotated[int, typer.Option("--limit", help="Only so many questions, evenly spaced (0: all).", min=0)]
Seed = Annotated[int, typer.Option("--seed", help="Chooses the passages that a temporary site does not get.")]
Promise = Annotated[float, typer.Option("--promise", help="Share of local answers to be right.", min=0.5, max=0.99)]
Delta = Annotated[float, typer.Option("--delta", help="Chance that a threshold is too low.", min=0.001, max=0.5)]
Publish = Annotated[bool, typer.Option("--publish", help="Put it in force at the site.")]
Out = Annotated[Path, typer.Option("--out", help="Where the folder KB-VERSION is written.")]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="site.yaml of the temporary site.")]
Json = Annotated[bool, typer.Option("--json", help="The calibration as JSON, and nothing else on stdout.")]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What was asked for. Without a folder, feedback is meant."""

    kb: str
    folder: Path | None
    fields: Fields
    limit: int
    seed: int
    promise: float
    delta: float
    publish: bool


def register(app: typer.Typer) -> None:
    """Add `calibrate`."""
    app.command("calibrate")(calibrate_kb)


@perhaps_at_a_place
def calibrate_kb(
    where: Where,
    kb: Kb,
    data: Data = None,
    feedback: FromFeedback = False,
    file: File = None,
    question_field: QuestionField = "question",
    passage_field: PassageField = "text",
    answer_field: AnswerField = "",
    limit: Limit = 0,
    seed: Seed = 7,
    promise: Promise = 0.85,
    delta: Delta = 0.1,
    publish: Publish = False,
    out: Out = Path("calibrations"),
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Fit how likely the answers of a knowledge base are right, and from which probability on they keep a promise.

    The questions are asked of the knowledge base as it stands at the site (--url, --data-dir, or the one that runs in
    .causeway/site): let about a third of them be questions that its documents do not answer (an empty list of answers),
    or confidence is learned from easy questions only. Where no site runs, or with --config, a temporary one gets the
    passages of --data but 35%, and is removed again.
    Writes KB-VERSION/ with calibration.json, reliability.png and risk_coverage.png; --publish puts it in force too.
    """
    check_kb_name(kb)
    _check(data, feedback, file, config, publish)
    if file is not None:
        ready = asyncio.run(_put_in_force(_read(file, kb), where.address()))
        STDOUT.print(f"In force at {ready.kb}: calibration [bold]{escape(ready.version)}[/].")
        return
    address = _address(where, config, lasting=feedback or publish)
    STDERR.print(f"[dim]{escape(_asked(address))}[/]")
    wanted = _Wanted(
        kb=kb,
        folder=None if feedback else data,
        fields=Fields(question=question_field, passage=passage_field, answers=answer_field),
        limit=limit,
        seed=seed,
        promise=promise,
        delta=delta,
        publish=publish,
    )
    made, fitted = asyncio.run(_calibrate(wanted, config, address))
    folder = write_folder(made, fitted, out)
    if as_json:
        print_json({"folder": str(folder), "published": publish, "calibration": made})
        return
    STDOUT.print(calibration_table(made))
    for line in groups_text(made):
        STDOUT.print(line)
    STDOUT.print(f"Wrote [bold]{escape(str(folder))}[/]: {FILE}, reliability.png, risk_coverage.png.")
    if publish:
        STDOUT.print(f"In force at {made.kb} from now on.")
    else:
        STDOUT.print(f"Not in force yet. At the site: causeway calibrate --kb {kb} --file {escape(str(folder / FILE))}")


def _check(data: Path | None, feedback: bool, file: Path | None, config: Path | None, publish: bool) -> None:
    if [data is not None, feedback, file is not None].count(True) != 1:
        raise UserError("calibrate needs labels", "Name one of --data FOLDER, --feedback and --file.")
    if config is not None and (data is None or publish):
        raise UserError("--config is of a temporary site, which has nothing to put in force", "Leave --config out.")


def _address(where: Where, config: Path | None, *, lasting: bool) -> Address | None:
    """The site that is asked; None: a temporary one, which does for what is not `lasting`."""
    if lasting:
        return where.address()
    return where.address_if_running() if config is None else where.address_if_named()


def _asked(address: Address | None) -> str:
    if address is None:
        return "A temporary site is asked, with the passages of --data but 35%."
    return f"The site {address.bus.site} at {address.bus.url} is asked."


def _read(path: Path, kb: str) -> CalibrationFile:
    """The calibration in a file, for this kb.

    Raises:
        UserError: there is none, or it is of another kb.
    """
    try:
        file = decode_file(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} can not be read: {error}", "Name a calibration.json.") from error
    except CalibrationError as error:
        raise UserError(f"{path}: {error}", error.mend) from error
    if file.kb != kb:
        raise UserError(f"{path} is the calibration of {file.kb!r}", f"Use --kb {file.kb}, or fit one for {kb}.")
    return file


async def _put_in_force(file: CalibrationFile, address: Address) -> CalibrationFile:
    async with session(address) as client:
        try:
            refuse_other_space(file, await _model_of(client, file.kb))
        except CalibrationError as error:
            raise UserError(str(error), error.mend) from error
        await _publish(client, file)
    return file


async def _calibrate(
    wanted: _Wanted, config: Path | None, address: Address | None
) -> tuple[CalibrationFile, dict[str, Fitted]]:
    # Read first: a folder that can not be read shall not cost the start of a site.
    asked = _questions(wanted, own_site=address is not None)
    async with evaluation_site(config, address) as there, session(there) as client:
        # Asked first at a site that runs: a kb that is not there shall not cost the questions.
        model_id = await _model_of(client, wanted.kb) if address is not None else ""
        labels = await _labels(wanted, asked, client)
        try:
            file, fitted = calibrate(
                labels,
                kb=wanted.kb,
                model_id=model_id or await _model_of(client, wanted.kb),
                kind="questions" if wanted.folder is not None else "feedback",
                promise=wanted.promise,
                delta=wanted.delta,
            )
        except CalibrationError as error:
            raise UserError(str(error), error.mend) from error
        file = versioned(file)
        if wanted.publish:
            await _publish(client, file)
    return file, fitted


def _questions(wanted: _Wanted, *, own_site: bool) -> EvaluationSet | tuple[Question, ...]:
    """What is asked: of a running site the questions alone, of a temporary one the whole set; nothing for feedback."""
    if wanted.folder is None:
        return ()
    if own_site:
        return questions_in(wanted.folder, wanted.fields, wanted.limit)
    return load_set(wanted.folder, wanted.fields, wanted.limit)


async def _labels(wanted: _Wanted, asked: EvaluationSet | tuple[Question, ...], client: Client) -> list[Labelled]:
    if wanted.folder is None:
        return await _from_feedback(client, wanted.kb)
    run = SiteRun(client, wanted.kb)
    if isinstance(asked, EvaluationSet):
        return await label_with_withheld(run, asked, wanted.seed)
    return await label(run, asked)


async def _from_feedback(client: Client, kb: str) -> list[Labelled]:
    with STDERR.status("reading answers and feedback"):
        answered = await _all(client, streams.ANSWERS.name, [subjects.ANSWERED.at(client.site, kb)])
        wanted = [subjects.FEEDBACK.at(client.site, kb), subjects.AUDITED.at(client.site, kb)]
        said = await _all(client, streams.FEEDBACK.name, wanted)
    return feedback_labels(
        [one for one in answered if isinstance(one, AnswerGiven)],
        [one for one in said if isinstance(one, Feedback)],
        [one for one in said if isinstance(one, AnswerAudited)],
    )


async def _all(client: Client, stream: str, filters: list[str]) -> list[Message]:
    passed_over: list[UndecodableError] = []
    async with aclosing(client.bus.scan(stream, filters, passed_over=passed_over.append)) as found:
        messages = [delivery.message async for delivery in found]
    if passed_over:
        told = f"{len(passed_over)} of {stream} can not be read and do not count, the last because: {passed_over[-1]}"
        STDERR.print(told, style="yellow", markup=False)
    return messages


async def _model_of(client: Client, kb: str) -> str:
    """The embedding model of the kb: that of its first chunk, own or shared by another place.

    Raises:
        UserError: the kb has no chunks.
    """
    for place in (client.site, "*"):
        chunks = client.bus.scan(streams.KNOWLEDGE.name, [subjects.KNOWLEDGE_CHUNK.at(place, kb)])
        async with aclosing(chunks) as found:
            async for delivery in found:
                if isinstance(delivery.message, ChunkEmbedded):
                    return delivery.message.model
    raise UserError(f"there is no knowledge base {kb!r} at {client.site}", "See: causeway kb list")


async def _publish(client: Client, file: CalibrationFile) -> None:
    at_unix_ms = int(time.time() * 1000)
    message = CalibrationFitted(kb=file.kb, version=file.version, body=encode_file(file), at_unix_ms=at_unix_ms)
    subject = subjects.CALIBRATION.at(client.site, file.kb)
    # Putting the same calibration in force again is a new event: another may have been in force between.
    await client.bus.publish(subject, message, msg_id=f"calibration:{file.kb}:{file.version}:{at_unix_ms}")
