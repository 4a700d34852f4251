"""A git repository with Git LFS, through the real `git` and `git-lfs` commands."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from causeway.cli.errors import BadPathError, UserError
from causeway.cli.snapshot.layout import ATTRIBUTES, ATTRIBUTES_FILE, HEAD_FILE

GIT_TIMEOUT_S = 600
_AUTHOR = {
    "GIT_AUTHOR_NAME": "Causeway",
    "GIT_AUTHOR_EMAIL": "causeway@localhost",
    "GIT_COMMITTER_NAME": "Causeway",
    "GIT_COMMITTER_EMAIL": "causeway@localhost",
}


class GitError(UserError):
    """git or git-lfs did not do what it was asked."""


@dataclass(frozen=True)
class Repository:
    """The working tree of one."""

    root: Path

    @classmethod
    def opened(cls, root: Path) -> "Repository":
        """The repository at `root`, which must be the top of one that a snapshot was written to.

        Raises:
            BadPathError: there is none.
        """
        _require_commands()
        if not (root / ".git").exists() or not (root / HEAD_FILE).exists():
            raise BadPathError(f"{root} is not the repository of a snapshot", "Take one: causeway kb snapshot FOLDER")
        return cls(root)

    @classmethod
    def made(cls, root: Path) -> "Repository":
        """The repository at `root`, made there if the folder is empty or missing.

        Raises:
            BadPathError: the folder holds something else, or has changes that nobody committed.
        """
        _require_commands()
        repository = cls(root)
        if (root / ".git").exists():
            repository._refuse_foreign()
            return repository
        if root.exists() and any(root.iterdir()):
            raise BadPathError(f"{root} is not empty and not a git repository", "Name an empty or a new folder.")
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        repository._git("init", "--quiet", "--initial-branch=main")
        repository._git("lfs", "install", "--local")
        return repository

    def _refuse_foreign(self) -> None:
        if self._git("status", "--porcelain").strip():
            raise BadPathError(
                f"{self.root} has changes that are not committed", "Commit them or take them back first."
            )
        tracked = self._git("ls-files").splitlines()
        if tracked and HEAD_FILE not in tracked:
            raise BadPathError(f"{self.root} is the repository of something else", "Name an empty or a new folder.")
        self._git("lfs", "install", "--local")

    def files(self, kb: str) -> dict[PurePosixPath, Path]:
        """The files of a kb by their path in the repository."""
        return {
            PurePosixPath(path.relative_to(self.root).as_posix()): path
            for path in sorted((self.root / kb).rglob("*"))
            if path.is_file()
        }

    def write(self, kb: str, files: dict[PurePosixPath, bytes]) -> int:
        """Make the kb's folder hold exactly these files. Returns how many changed."""
        present = self.files(kb)
        changed = 0
        for path in present.keys() - files.keys():
            present[path].unlink()
            changed += 1
        for path, body in files.items():
            target = self.root / path
            if target.exists() and target.read_bytes() == body:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
            changed += 1
        return changed

    def commit(self, head: bytes, message: str) -> str:
        """Commit all that was written, with the head file. Returns the commit's id."""
        (self.root / ATTRIBUTES_FILE).write_bytes(ATTRIBUTES)
        (self.root / HEAD_FILE).write_bytes(head)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)
        return self._git("rev-parse", "HEAD").strip()

    @contextmanager
    def at(self, commit: str) -> Iterator["Repository"]:
        """The tree of a commit, checked out beside the working tree for the length of the block.

        Raises:
            GitError: there is no such commit, or its Git LFS objects are not here.
        """
        with tempfile.TemporaryDirectory(prefix="causeway-snapshot-") as folder:
            tree = Path(folder) / "tree"
            self._git("worktree", "add", "--quiet", "--detach", str(tree), commit)
            try:
                yield Repository(tree)
            finally:
                self._git("worktree", "remove", "--force", str(tree))

    def _git(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=self.root,
                env=_AUTHOR | os.environ,
                capture_output=True,
                text=True,
                timeout=GIT_TIMEOUT_S,
                check=True,
            )
        except subprocess.CalledProcessError as error:
            raise GitError(f"git {arguments[0]} failed: {error.stderr.strip()}", f"Look at {self.root}.") from error
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git {arguments[0]} took more than {GIT_TIMEOUT_S} s", f"Look at {self.root}.") from error
        return done.stdout


def _require_commands() -> None:
    missing = [command for command in ("git", "git-lfs") if shutil.which(command) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)} not found", f"On Debian: apt-get install {' '.join(missing)}")
