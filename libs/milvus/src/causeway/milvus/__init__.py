"""The collections of the hub in Milvus: schema, client, and the embedded server with one writer."""
