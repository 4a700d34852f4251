"""Makes the collections of `schema.py` in a Milvus, and sees that those that are there are ours and loaded."""

from typing import Any

from pymilvus import CollectionSchema, DataType, Function, FunctionType, MilvusClient
from pymilvus.exceptions import MilvusException

from causeway.milvus.errors import ShelfForeign
from causeway.milvus.schema import ANALYZER, Collection, Field, Kind

_TYPES = {
    Kind.VARCHAR: DataType.VARCHAR,
    Kind.INT64: DataType.INT64,
    Kind.BOOL: DataType.BOOL,
    Kind.DENSE: DataType.FLOAT_VECTOR,
    Kind.SPARSE: DataType.SPARSE_FLOAT_VECTOR,
}


def ensure(client: MilvusClient, wanted: Collection, timeout_s: float) -> None:
    """Make the collection if it is not there, complete it if its making was cut off, load it.

    Raises:
        ShelfForeign: one of this name has other columns.
    """
    if not client.has_collection(wanted.name, timeout=timeout_s):
        try:
            client.create_collection(wanted.name, schema=_schema(wanted), consistency_level="Strong", timeout=timeout_s)
        except MilvusException:
            # Another client may have been faster.
            if not client.has_collection(wanted.name, timeout=timeout_s):
                raise
    _check(client.describe_collection(wanted.name, timeout=timeout_s), wanted)
    missing = _missing_indexes(client, wanted, timeout_s)
    if missing is not None:
        client.create_index(wanted.name, missing, timeout=timeout_s)
    client.load_collection(wanted.name, timeout=timeout_s)


def _schema(wanted: Collection) -> CollectionSchema:
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    for field in wanted.fields:
        schema.add_field(field.name, _TYPES[field.kind], **_options(field))
    if wanted.bm25 is not None:
        text, sparse = wanted.bm25
        schema.add_function(
            Function(
                name="bm25", function_type=FunctionType.BM25, input_field_names=[text], output_field_names=[sparse]
            )
        )
    return schema


def _options(field: Field) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if field.kind is Kind.VARCHAR:
        options["max_length"] = field.size
    if field.kind is Kind.DENSE:
        options["dim"] = field.size
    if field.primary:
        options["is_primary"] = True
    if field.partition_key:
        options["is_partition_key"] = True
    if field.analyzed:
        options |= {"enable_analyzer": True, "analyzer_params": ANALYZER}
    return options


def _check(description: dict[str, Any], wanted: Collection) -> None:
    found = {field["name"]: field for field in description["fields"]}
    # A server that learned to search by words since has collections without them: they serve as they are.
    names = {field.name for field in wanted.fields if field.kind is not Kind.SPARSE}
    if not names <= set(found):
        raise ShelfForeign(f"collection {wanted.name} lacks {sorted(names - set(found))}: {ShelfForeign.__doc__}")
    for field in wanted.fields:
        if field.kind is Kind.DENSE and int(found[field.name]["params"]["dim"]) != field.size:
            raise ShelfForeign(f"collection {wanted.name} has another dimension: {ShelfForeign.__doc__}")


def has_words(client: MilvusClient, name: str, timeout_s: float) -> bool:
    """Whether a collection can be searched by words."""
    description = client.describe_collection(name, timeout=timeout_s)
    return any(field["name"] == "sparse" for field in description["fields"])


def _missing_indexes(client: MilvusClient, wanted: Collection, timeout_s: float) -> Any:
    there = set(client.list_indexes(wanted.name, timeout=timeout_s))
    missing = [index for index in wanted.indexes if index.field not in there]
    if not missing:
        return None
    parameters = client.prepare_index_params()
    for index in missing:
        parameters.add_index(
            field_name=index.field,
            index_type=index.kind,
            index_name=index.field,
            metric_type=index.metric,
            params=dict(index.parameters),
        )
    return parameters
