"""Fits the router that `causeway.difficulty` ships: `python -m causeway.cli.evaluation.routing_fit --data DIR`."""

import argparse
import sys
from pathlib import Path

import msgspec

from causeway.cli.evaluation.routing import answered_of
from causeway.cli.evaluation.routing_sets import load_routing_sets
from causeway.difficulty import Recipe, fit, with_sources
from causeway.models import EMBEDDING, Encoder, ModelStore

# MT-bench's scores are a judge's, of 48 questions: too few to fit on, so that they stay a test from elsewhere.
LEFT_OUT = ("mt_bench",)


def main() -> None:
    """Arguments to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of routing sets")
    parser.add_argument("--out", type=Path, required=True, help="where the router is written")
    parser.add_argument("--source", default="", help="where the sets came from, with their licence")
    parser.add_argument("--weak-model", default="")
    parser.add_argument("--strong-model", default="")
    options = parser.parse_args()
    sets = [one for one in load_routing_sets(options.data) if one.name not in LEFT_OUT]
    encoder = Encoder.load(ModelStore.from_settings().locate(EMBEDDING))
    recipe = Recipe(space=encoder.model_id, weak_model=options.weak_model, strong_model=options.strong_model)
    router = fit(answered_of(sets, encoder.encode_queries), recipe)
    named = with_sources(router, {one.name: options.source for one in sets})
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(named.file), indent=0) + b"\n")
    sys.stderr.write(f"{options.out}: {sum(one.questions for one in named.file.fitted_on)} questions\n")


if __name__ == "__main__":
    main()
