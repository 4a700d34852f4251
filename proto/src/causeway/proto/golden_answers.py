"""Examples of the messages that have to do with answers and the cloud: see `golden`."""

from causeway.proto import answers, breaker, cache, calibration, cloud, codec, documents, feedback, usage

_CHUNK_ID = bytes(range(16))
_REVISION = 1_760_000_000_123
_AT_UNIX_MS = 1_760_000_000_456
_ANSWER_ID = "0199c1f2-7d7a-7000-8000-000000000001"
_QUESTION = "利率上限是多少？"
_TEXT = "贷款利率不得高于合同约定 [1]。"
_CITED = feedback.CitedChunk(origin="hub", document_id="policies/贷款-2025.pdf", revision=_REVISION, chunk_id=_CHUNK_ID)


def examples(answer: answers.Answer) -> tuple[codec.Message, ...]:
    """One of each type, every field set."""
    return (*_cloud(answer), *_standing(), *_given(), *_kept(answer), *_judged())


def _cloud(answer: answers.Answer) -> tuple[codec.Message, ...]:
    made = cloud.CloudAnswer(
        text=_TEXT,
        abstained=False,
        reason="supported",
        language="zh",
        model="qwen2.5-1.5b",
        adapter="handbook",
        citations=answer.citations,
        epoch={"branch-1": 300},
        prompt_tokens=1_800,
        completion_tokens=64,
        cached_tokens=1_024,
        finish_reason="stop",
        latency_ms={"search": 8.5, "first_token": 120.0},
        cost_usd=0.00025,
        watt_hours=0.125,
    )
    return (
        cloud.CloudAsk(
            ask_id=_ANSWER_ID,
            kb="handbook",
            question=_QUESTION,
            language="zh",
            deadline_ms=4_000,
            first_token_ms=750,
            passages_max=3,
            tokens_max=128,
            tenant="counter",
        ),
        cloud.CloudPart(kind=cloud.CloudPartKind.FINAL, index=70, text=_TEXT, answer=made),
        cloud.CloudCancel(ask_id=_ANSWER_ID),
        cloud.CloudStatusAsked(),
        cloud.CloudStatus(
            engine="vllm",
            model="qwen2.5-1.5b",
            adapters={"handbook": "handbook-3"},
            healthy=False,
            reason="no answer from /health",
            running=16,
            waiting=4,
            kv_cache_used=0.75,
            first_token_ms=480.0,
            ms_per_token=20.5,
            refused={"busy": 300},
            timeouts_in_a_row=5,
        ),
    )


def _standing() -> tuple[codec.Message, ...]:
    cited = cloud.CitedDocument(origin="plant-1", document_id="policies/贷款-2025.pdf", chunk_ids=[_CHUNK_ID])
    stands = cloud.DocumentStanding(
        origin="plant-1",
        document_id="policies/贷款-2025.pdf",
        revision=_REVISION,
        deleted=True,
        replaced=True,
        gone_chunk_ids=[_CHUNK_ID],
    )
    return (
        cloud.CitationsAsked(kb="handbook", documents=[cited]),
        cloud.CitationsStanding(hub_seq=300, log_created=_AT_UNIX_MS * 1_000_000, documents=[stands]),
    )


def _given() -> tuple[codec.Message, ...]:
    return (
        feedback.AnswerGiven(
            answer_id=_ANSWER_ID,
            kb="handbook",
            question=_QUESTION,
            language="zh",
            asker="teller-7",
            tenant="counter",
            route=answers.Route.CLOUD,
            text=_TEXT,
            abstained=False,
            confidence=0.9375,
            calibrated=True,
            features={"dense_top": 0.875},
            cited=[_CITED],
            epoch={"branch-1": 300},
            residency=documents.Residency.INTERNAL,
            at_unix_ms=_AT_UNIX_MS,
            hub_seq=300,
        ),
        feedback.AnswerInvalidated(
            answer_id=_ANSWER_ID,
            kb="handbook",
            asker="teller-7",
            change=feedback.Change.DELETED,
            document_id="policies/贷款-2025.pdf",
            origin="hub",
            revision=_REVISION,
            at_unix_ms=_AT_UNIX_MS,
        ),
        usage.UsageRecorded(
            usage_id=f"{_ANSWER_ID}:cloud",
            site="branch-1",
            kb="handbook",
            answer_id=_ANSWER_ID,
            service="cloud-inference",
            purpose="audit",
            route=answers.Route.CLOUD,
            engine="vllm",
            model="qwen2.5-1.5b",
            prompt_tokens=1_800,
            completion_tokens=64,
            cached_tokens=1_024,
            duration_ms=640.5,
            watt_hours=0.125,
            cost_usd=0.00025,
            tenant="counter",
            at_unix_ms=_AT_UNIX_MS,
        ),
    )


def _kept(answer: answers.Answer) -> tuple[codec.Message, ...]:
    return (
        cache.AnswerCached(
            kb="handbook",
            key=_CHUNK_ID,
            question=_QUESTION,
            language="zh",
            tenant="counter",
            residency=documents.Residency.PUBLIC,
            model="multilingual-e5-small-int8",
            vector_f16=bytes.fromhex("0038003800380038"),
            answer=answer,
            cited=[_CITED],
            epoch={"branch-1": 300},
            at_unix_ms=_AT_UNIX_MS,
            expires_unix_ms=_AT_UNIX_MS + 86_400_000,
        ),
        cache.AnswerUncached(kb="handbook", key=_CHUNK_ID, reason="a cited chunk has changed"),
        breaker.BreakerTurned(
            target="cloud",
            state=breaker.BreakerState.HALF_OPEN,
            reason="the wait is over",
            failure_rate=0.5,
            slow_rate=0.75,
            calls=20,
            turns=300,
            replica="edge-inference-2",
            until_unix_ms=_AT_UNIX_MS + 10_000,
            at_unix_ms=_AT_UNIX_MS,
        ),
    )


def _judged() -> tuple[codec.Message, ...]:
    return (
        feedback.Feedback(
            answer_id=_ANSWER_ID,
            kb="handbook",
            verdict=feedback.Verdict.CORRECTED,
            corrected_text="不得高于 LPR 的四倍。",
            asker="teller-7",
        ),
        feedback.AnswerAudited(
            answer_id=_ANSWER_ID,
            kb="handbook",
            language="zh",
            confidence=0.9375,
            features={"dense_top": 0.875},
            agrees=True,
            cloud_text=_TEXT,
            cost_usd=0.00025,
            at_unix_ms=_AT_UNIX_MS,
            calibrated=True,
            given_unix_ms=_AT_UNIX_MS,
        ),
        calibration.CalibrationFitted(kb="handbook", version="2026-11-24.1", body=b"{}", at_unix_ms=_AT_UNIX_MS),
        calibration.CalibrationDrifted(
            kb="handbook",
            language="zh",
            version="2026-11-24.1",
            resolved=True,
            promised=0.875,
            observed=0.75,
            judged=300,
            threshold=0.9375,
            at_unix_ms=_AT_UNIX_MS,
            feedback_seq=300,
        ),
    )
