"""What can go wrong: ShelfError > ShelfUnavailable, ShelfRefused, ShelfForeign; and DataFolderHeld of the server."""


class ShelfError(RuntimeError):
    """Milvus did not do what it was asked for."""


class ShelfUnavailable(ShelfError, TimeoutError):
    """Milvus does not answer: start it (`causeway-milvus --data DIR`), or correct the address. It is asked again."""


class ShelfRefused(ShelfError):
    """Milvus answers and refuses a value: asking again would fail the same way. The text says which."""


class ShelfForeign(ShelfError):
    """A collection of this name is not one that Causeway made: choose another database, or drop the collection."""


class DataFolderHeld(RuntimeError):
    """Another process holds the data folder: stop it first, Milvus Lite allows one process per folder."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: {self.__doc__}")
