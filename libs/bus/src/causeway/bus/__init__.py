"""Causeway's use of NATS: connect for ever, declare safely, consume in batches, retry, dead-letter, reply."""
