"""`causeway demo-hub`: a hub and two sites on this machine; the link is cut, both sides go on, the link heals; and who
answers a question: the edge, the cache, the cloud, or the fallback."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from causeway.cli.console import STDERR, STDOUT
from causeway.cli.demo_fleet import SHARED_KB, SITES, DemoFleet, running_fleet
from causeway.cli.demo_hub_run import (
    BRANCH,
    EDITS,
    OWN_KB,
    PLANT,
    SECRET,
    Crossed,
    crossed_text,
    full_copy_bytes,
    handbook,
    publish,
    secret_at_hub,
    siblings,
    until_answered,
    until_equal,
)
from causeway.cli.demo_routes import (
    CARDS,
    SITE_SETTINGS,
    by_cache,
    by_cloud,
    by_edge,
    by_fallback,
    demo_engine,
    engine_ready,
)
from causeway.cli.engine_config import EngineKind
from causeway.cli.messages import interface_language
from causeway.cli.sync_text import size_text, verdict_line
from causeway.client import Client
from causeway.proto.answers import Answer, Route
from causeway.proto.documents import Residency
from causeway.proto.link import Verified
from causeway.proto.subjects import HUB

Lang = Annotated[str | None, typer.Option("--lang", help="Language of the labels: zh or en (the locale's).")]
PAGES = 40


def register(app: typer.Typer) -> None:
    """Add `demo-hub`."""
    app.command("demo-hub")(demo_hub)


def demo_hub(lang: Lang = None) -> int:
    """Start a hub and two sites in a temporary folder, cut their links, edit and ask on both sides, heal, show what was
    replayed, and then all four routes of an answer. Leaves nothing running; exits with 1 when something is not as it
    should be."""
    return asyncio.run(_DemoHub(interface_language(lang)).run())


class _DemoHub:
    def __init__(self, language: str) -> None:
        self._chinese = language.startswith("zh")
        self._wrong = 0

    async def run(self) -> int:
        began = time.monotonic()
        STDERR.print(
            self._words(
                "Starting a hub and two sites; this takes half a minute.", "正在启动一个中心和两个站点，约需半分钟。"
            )
        )
        with tempfile.TemporaryDirectory(prefix="causeway-demo-hub-") as name:
            async with running_fleet(Path(name), demo_engine(), SITE_SETTINGS) as fleet:
                await self._first_copy(fleet)
                await self._apart(fleet)
                await self._together(fleet)
                await self._routes(fleet)
        verdict = f"[red]{self._wrong} wrong[/]" if self._wrong else "[green]everything as expected[/]"
        STDOUT.print(f"\n{verdict} [dim]{time.monotonic() - began:.0f} s in all[/]")
        return 1 if self._wrong else 0

    async def _first_copy(self, fleet: DemoFleet) -> None:
        self._title("1", "Documents at all three places", "三处都有文档")
        hub, plant, branch = (fleet.clients[place] for place in (HUB, *SITES))
        before = fleet.crossed_bytes
        await asyncio.gather(
            publish(hub, SHARED_KB, {f"manual-{number}": handbook(number) for number in range(PAGES)}),
            publish(
                plant, OWN_KB, {"shift": "# Shift report\n\nThe night shift made 412 gearboxes. 夜班完成 412 台。"}
            ),
            publish(
                branch,
                OWN_KB,
                {"loans": "# Loans\n\nThe branch granted 37 loans in May. 五月发放贷款 37 笔。", "cards": CARDS},
            ),
        )
        await publish(plant, OWN_KB, {"safe": f"# Safe\n\nRestricted: {SECRET}."}, Residency.RESTRICTED)
        found, crossed = await until_equal(fleet)
        self._equal(found, Crossed(bytes=fleet.crossed_bytes - before, seconds=crossed.seconds))
        answer = await until_answered(hub, OWN_KB, "How many gearboxes did the night shift make?", "412")
        self._check(
            "412" in answer.text,
            "asked at the hub, answered from the plant's document",
            "在中心提问，由工厂的文档回答",
            answer.text,
        )

    async def _apart(self, fleet: DemoFleet) -> None:
        self._title("2", "The links are cut; both sides go on", "链路已切断，两边照常工作")
        fleet.cut()
        hub, plant, branch = (fleet.clients[place] for place in (HUB, *SITES))
        for edit in range(1, EDITS + 1):
            text = f"# Shift report\n\nThe night shift made {500 + edit} gearboxes. 夜班完成 {500 + edit} 台。"
            await publish(plant, OWN_KB, {"shift": text})
        changed = f"{handbook(3)}\n\nSince May the boiler 3 is painted teal."
        await publish(hub, SHARED_KB, {"manual-3": changed, "rules": "# Rules\n\nThe hub says: helmets are white."})
        await publish(branch, SHARED_KB, {"rules": "# Rules\n\nThe branch says: helmets are yellow."})
        answer = await plant.ask(OWN_KB, "How many gearboxes did the night shift make?", cloud=False, timeout_s=30)
        self._check(
            "510" in answer.text,
            f"asked at {PLANT} without a link: its own last word",
            f"断网时在 {PLANT} 提问：得到本地最新内容",
            answer.text,
        )
        answer = await hub.ask(OWN_KB, "How many gearboxes did the night shift make?", timeout_s=30)
        self._check(
            "412" in answer.text,
            "asked at the hub: what it knew when the link was cut",
            "在中心提问：得到断网前的内容",
            answer.text,
        )
        answer = await branch.ask(SHARED_KB, "Which colour are helmets?", cloud=False, timeout_s=30)
        self._check(
            "yellow" in answer.text,
            f"asked at {BRANCH}: its own rule",
            f"在 {BRANCH} 提问：得到本地的规定",
            answer.text,
        )

    async def _together(self, fleet: DemoFleet) -> None:
        self._title("3", "The links are back", "链路恢复")
        full = await full_copy_bytes(fleet)
        fleet.heal()
        found, crossed = await until_equal(fleet)
        self._equal(found, crossed)
        STDOUT.print("   " + self._words("replayed: ", "重放：") + crossed_text(crossed, full))
        hub, branch = fleet.clients[HUB], fleet.clients[BRANCH]
        answer = await until_answered(hub, OWN_KB, "How many gearboxes did the night shift make?", "510")
        self._check(
            "510" in answer.text,
            f"the last of {EDITS} edits is at the hub",
            f"{EDITS} 次编辑中的最后一次已到中心",
            answer.text,
        )
        answer = await until_answered(branch, SHARED_KB, "Which colour is boiler 3 painted?", "teal")
        self._check("teal" in answer.text, f"the hub's edit is at {BRANCH}", f"中心的编辑已到 {BRANCH}", answer.text)
        await self._conflict(hub)
        searched = await secret_at_hub(fleet)
        self._check(
            searched.found == 0,
            f"the restricted document never left: not in any of {searched.records} records at the hub",
            f"受限文档从未离开：中心的 {searched.records} 条记录中都没有",
            "",
        )

    async def _routes(self, fleet: DemoFleet) -> None:
        self._title("4", f"Who answers, asked at {BRANCH}", f"由谁回答（在 {BRANCH} 提问）")
        self._routed(Route.EDGE, await by_edge(fleet), "its own document answers", "由本地文档回答")
        cloud_s = 0.0
        if demo_engine().kind is EngineKind.NONE:
            STDOUT.print(
                "   "
                + self._words(
                    "- cloud and cache can not be shown: llama.cpp or its model is not installed; run `make setup` and"
                    " `causeway model fetch generator`",
                    "- 无法展示 cloud 与 cache：未安装 llama.cpp 或其模型；请先运行 `make setup`，再运行"
                    " `causeway model fetch generator`",
                )
            )
        elif await engine_ready(fleet):
            cloud = await by_cloud(fleet)
            cloud_s = cloud.latency_ms.get("total", 0.0) / 1_000
            self._routed(Route.CLOUD, cloud, "the plant's document, by the hub's model", "工厂的文档，由中心的模型回答")
            cached = await by_cache(fleet)
            self._routed(Route.CACHE, cached, "the same question again", "再次提出同一问题")
        else:
            self._check(False, "the hub's model did not get ready", "中心的模型未能就绪", "")
        fleet.cut()
        STDOUT.print(self._words("   [dim]the link is cut in silence[/]", "   [dim]链路静默中断[/]"))
        lost = await by_fallback(fleet, cloud_s)
        self._routed(
            Route.FALLBACK, lost, "no word from the hub within the asker's time", "中心未能在提问者给定的时间内回应"
        )

    def _routed(self, wanted: Route, answer: Answer, english: str, chinese: str) -> None:
        took = answer.latency_ms.get("total", 0.0)
        why = self._words("because", "原因")
        detail = f"{answer.route} ({why}: {answer.decision}), {took:.0f} ms: {' '.join(answer.text.split())}"
        self._check(answer.route is wanted, f"{wanted}: {english}", f"{wanted}：{chinese}", detail)

    async def _conflict(self, hub: Client) -> None:
        named = await siblings(hub)
        self._check(
            len(named) == 1,
            "written at two places at once: one stands, the other is kept as a sibling",
            "两处同时写入：一份生效，另一份保留为并存版本",
            "; ".join(named),
        )

    def _equal(self, found: dict[str, Verified], crossed: Crossed) -> None:
        for site, verified in found.items():
            self._wrong += not verified.equal
            STDOUT.print(f"   {site}: {verdict_line(verified)}")
        said = self._words("digests equal after", "摘要一致，用时")
        STDOUT.print(f"   {said} {crossed.seconds:.1f} s, {size_text(crossed.bytes)}")

    def _check(self, right: bool, english: str, chinese: str, detail: str) -> None:
        self._wrong += not right
        mark = "[green]✓[/]" if right else "[bold red]✗[/]"
        STDOUT.print(
            f"   {mark} {escape(self._words(english, chinese))}" + (f" [dim]{escape(detail)}[/]" if detail else "")
        )

    def _title(self, number: str, english: str, chinese: str) -> None:
        STDOUT.print(f"\n[bold cyan]{number}. {self._words(english, chinese)}[/]")

    def _words(self, english: str, chinese: str) -> str:
        return chinese if self._chinese else english
