"""Searches of one embedding space: by meaning, and by meaning and words, where the server has words or not."""

from typing import Any

from pymilvus import MilvusClient

from causeway.milvus import rows as rowwise
from causeway.milvus.fusion import by_words, reciprocal_ranks
from causeway.milvus.schema import chunks_name
from causeway.milvus.values import Hit, Vector

# As many candidates of each ranking: what is below rank 50 in both does not come up by fusion.
CANDIDATES_MIN = 50
# A server without words: so many by meaning are ranked by their words here.
REREAD_MIN = 200
EF_MIN = 128


class Searching:
    """Blocks; all it holds is a limit."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def dense(self, client: MilvusClient, model: str, kb: str, vector: Vector, k: int) -> list[Hit]:
        """The nearest by cosine."""
        found = self._near(client, model, kb, vector, k)
        return [Hit(chunk=rowwise.chunk_of(hit["entity"], model), score=float(hit["distance"])) for hit in found]

    def hybrid(
        self, client: MilvusClient, model: str, kb: str, vector: Vector, text: str, k: int, *, words: bool
    ) -> list[Hit]:
        """The best by reciprocal ranks of both.

        The ranks are put together here: Milvus before 2.4 can not, and the scores of BM25 differ between servers in
        sign, so that only their order can be used.
        """
        count = max(k, CANDIDATES_MIN if words else REREAD_MIN)
        near = self._near(client, model, kb, vector, count)
        alike = self._alike(client, model, kb, text, count) if words else []
        entities = {hit["entity"]["id"]: hit["entity"] for hit in (*near, *alike)}
        by_text = (
            [hit["entity"]["id"] for hit in alike]
            if words
            else by_words(text, [(identity, entity["text"]) for identity, entity in entities.items()])
        )
        ranked = reciprocal_ranks([hit["entity"]["id"] for hit in near], by_text)
        return [Hit(chunk=rowwise.chunk_of(entities[identity], model), score=score) for identity, score in ranked[:k]]

    def _near(self, client: MilvusClient, model: str, kb: str, vector: Vector, k: int) -> list[dict[str, Any]]:
        parameters = {"metric_type": "COSINE", "params": {"ef": max(EF_MIN, 2 * k)}}
        return self._found(client, model, kb, [vector.tolist()], "dense", parameters, k)

    def _alike(self, client: MilvusClient, model: str, kb: str, text: str, k: int) -> list[dict[str, Any]]:
        if not text.strip():
            return []
        return self._found(client, model, kb, [text], "sparse", {"metric_type": "BM25", "params": {}}, k)

    def _found(
        self, client: MilvusClient, model: str, kb: str, data: Any, field: str, parameters: dict[str, Any], k: int
    ) -> list[dict[str, Any]]:
        (hits,) = client.search(
            chunks_name(model),
            data=data,
            anns_field=field,
            search_params=parameters,
            limit=k,
            filter=f'kb == "{kb}" and live == true',
            output_fields=rowwise.CHUNK_FIELDS,
            timeout=self._timeout_s,
            consistency_level="Strong",
        )
        return [{"entity": dict(hit["entity"]), "distance": hit["distance"]} for hit in hits]
