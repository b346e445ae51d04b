"""GET /board: the pipelines as amoCRM shows them to people, without a token, for whoever runs the local stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, render_template_string

from infra.local.amocrm_simulator.model import Lead, Pipeline, Status

if TYPE_CHECKING:
    from infra.local.amocrm_simulator.world import World

api = Blueprint("board", __name__)

CARDS_PER_COLUMN = 60
MINUTE, HOUR, DAY = 60, 3600, 86400

PAGE = """<!doctype html>
<html lang="ru">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="3">
<title>{{ subdomain }} · воронки</title>
<style>
:root { color-scheme: light dark; --ground: #f3f4f6; --card: #fff; --ink: #1b1f24; --quiet: #667; --line: #d9dce1; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181c; --card: #22262c; --ink: #e8eaed; --quiet: #98a0aa; --line: #343a42; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem 1.25rem 2rem; background: var(--ground); color: var(--ink);
  font: 14px/1.4 system-ui, sans-serif; }
header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
h1 { font-size: 1.15rem; margin: 0; } h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
header p, .quiet { color: var(--quiet); margin: 0; }
.columns { display: flex; gap: .6rem; overflow-x: auto; padding-bottom: .5rem; }
.column { flex: 0 0 13.5rem; }
.column h3 { margin: 0 0 .4rem; padding: .35rem .1rem; font-size: .8rem; font-weight: 600;
  border-bottom: 4px solid var(--stage); display: flex; justify-content: space-between; gap: .5rem; }
.column ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .4rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .45rem .55rem;
  overflow-wrap: anywhere; }
.card p { display: flex; justify-content: space-between; gap: .5rem; font-size: .8rem; }
</style>
</head>
<body>
<header>
  <h1>{{ host }}</h1>
  <p>{{ now }} · запросов {{ requests }} · отклонено {{ throttled }}</p>
</header>
{% for pipeline, columns in pipelines %}
<section>
  <h2>{{ pipeline.name }}</h2>
  <div class="columns">
  {% for column in columns %}
    <div class="column">
      <h3 style="--stage: {{ column.status.color }}">
        <span>{{ column.status.name }}</span><span>{{ column.size }}</span></h3>
      <ol>
      {% for card in column.cards %}
        <li class="card"><strong>{{ card.name }}</strong>
          <p class="quiet"><span>{{ card.owner }}</span><span>{{ card.age }}</span></p></li>
      {% endfor %}
      {% if column.more %}<li class="quiet">ещё {{ column.more }}</li>{% endif %}
      </ol>
    </div>
  {% endfor %}
  </div>
</section>
{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True)
class Card:
    name: str
    owner: str
    age: str


@dataclass(frozen=True)
class Column:
    """The newest cards of a stage; `size` counts all of them."""

    status: Status
    size: int
    cards: list[Card]

    @property
    def more(self) -> int:
        return self.size - len(self.cards)


@api.get("/board")
def show_board() -> str:
    world: World = current_app.config["WORLD"]
    pipelines = sorted(world.pipelines.values(), key=lambda pipeline: (pipeline.sort, pipeline.id))
    return render_template_string(
        PAGE,
        subdomain=world.subdomain,
        host=world.host,
        now=f"{world.clock.now():%d.%m.%Y %H:%M:%S} UTC",
        requests=world.requests.total,
        throttled=world.requests.throttled,
        pipelines=[(pipeline, _columns(world, pipeline)) for pipeline in pipelines],
    )


def _columns(world: World, pipeline: Pipeline) -> list[Column]:
    leads = world.live_leads([pipeline.id])
    return [
        _column(world, status, [lead for lead in leads if lead.status_id == status.id]) for status in pipeline.statuses
    ]


def _column(world: World, status: Status, leads: list[Lead]) -> Column:
    newest = sorted(leads, key=lambda lead: (-lead.created_at, -lead.id))[:CARDS_PER_COLUMN]
    return Column(status, len(leads), [_card(world, lead) for lead in newest])


def _card(world: World, lead: Lead) -> Card:
    owner = world.users.get(lead.responsible_user_id)
    return Card(
        lead.name or f"Сделка #{lead.id}", owner.name if owner else "—", _age(world.timestamp() - lead.created_at)
    )


def _age(seconds: int) -> str:
    for size, unit in ((DAY, "д"), (HOUR, "ч"), (MINUTE, "мин")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} с"
