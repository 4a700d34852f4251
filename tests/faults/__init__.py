"""Cuts and SIGKILLs of real processes while two sites write: nothing is lost, nothing is applied twice.

    python -m tests.faults --seed 7 --revisions 10000 --faults 50

Revisions are written to KNOWLEDGE as the embedder writes them, with made vectors: what is under fire here is everything
from there on. The seed decides what is written and what is broken in which order; how far each process has come by
then, the machine decides.
"""
