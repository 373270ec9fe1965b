"""Realistic projects of any size, the same each time: a main flow that offers many subjects, each a flow of its own.

A subject has its types, a service with reads and writes, intents, slots, and states that ask, call, branch, wait and
recover, in the proportions of the bots in `flows/`. Everything checks clean.
"""

from typing import Final

__all__ = ["project"]

TOPICS: Final = "abcdefgh"  # at most so many in each called flow

SETTINGS: Final = """\
[bot]
name = "main"
main = "main.flow"
language = 1
locales = ["en"]

[understanding]
chain = ["rules"]

[environments.dev]
store = "memory:"
"""

HEADER: Final = """\
flow {flow} 1.2.0
  "Looks after the {flow} of a customer."
  takes greeting: text
  gives handled: integer
  start start
  use yes, no, cancel from "std/basics.flow"

type Reference{n} = text matching /[A-Z]{{2}}[0-9]{{6}}/
"""

TOPIC: Final = """
type {Topic}
  id: Reference{n}
  status: "open" | "sent" | "closed"
  due: date?
  lines: list of {Topic}Line
  total: number

type {Topic}Line
  title: text
  price: number

service {topic}_store via http
  within 2s
  timeout 500ms
  retry 2 from 100ms to 500ms
  limit 200/s
  at most 32 at once

  read get(id: Reference{n}) -> {Topic}
    GET "/{topic}/{{id}}"
    fails not_found on 404

  read owner(id: text) -> text
    GET "/owners/{{id}}"
    answer data.name

  write change(id: Reference{n}, due: date) -> {Topic}
    POST "/{topic}/{{id}}"
    key auto
    fails closed on 409

intent check_{topic}
  "check my {words}"
  "where is my {words}"
  "what about my {words}"

intent change_{topic}
  "change my {words}"
  "another day for my {words}"

slot {topic}_id: Reference{n}
  ask "What is the number of your {words}?"
  reask "It looks like AB123456."
  tries 3

slot {topic}_due: date
  ask "Which day suits you for your {words}?"
  check {topic}_due > today else "It has to be after today. Which day?"

state {topic}_menu
  say "Do you want to check your {words}, or to change it?"
    buttons "Check my {words}", "Change my {words}"
  listen
    on check_{topic} -> {topic}_check
    on change_{topic} -> {topic}_change
    on cancel, no -> {after}
    on silence 5m -> {after}

state {topic}_check
  clear {topic}_id
  ask {topic}_id
    else -> finish
  call {topic} = {topic}_store.get(id: {topic}_id)
    on not_found
      reject {topic}_id "There is no {words} {{{{ {topic}_id }}}}."
  call {topic}_owner = {topic}_store.owner(id: user.id)
    else
      set {topic}_owner = none
  set handled = handled + 1
  match {topic}.status
    on "sent"
      if {topic}.due is not none
        say "It will be there on {{{{ {topic}.due | date }}}}."
      else
        say "It is on its way."
    on "closed"
      say "It is closed: {{{{ len({topic}.lines) }}}} things for {{{{ {topic}.total | number }}}}."
    on "open"
      say "We are still working on it."
  if {topic}_owner is not none and {topic}.total > 100
    # the owner of a large one is named
    say "{{{{ {topic}_owner }}}} looks after it."
  -> {topic}_menu

state {topic}_change
  clear {topic}_id, {topic}_due
  ask {topic}_id, {topic}_due
    on cancel -> {topic}_menu
    else -> finish
  say "Shall I move {{{{ {topic}_id }}}} to {{{{ {topic}_due | date }}}}?"
  listen
    on change {topic}_id, {topic}_due -> {topic}_move
    on yes -> {topic}_move
    on no -> {topic}_menu
    on silence 5m -> {after}

state {topic}_move
  if {topic}_id is none or {topic}_due is none -> {topic}_change
  call {topic}_moved = {topic}_store.change(id: {topic}_id, due: {topic}_due)
    on closed
      say "It is closed and cannot be changed."
      -> {topic}_menu
    on unknown
      say "I have asked for it, and cannot see yet whether it was done."
      -> {after}
  set handled = handled + 1
  say "Done: {{{{ {topic}_moved.id }}}} has been moved."
  -> {topic}_menu
"""

FOOTER: Final = """
state start
  set handled = 0
  say "{{ greeting }}"
  -> FIRST

state finish
  say "That is all."
  end
"""

MAIN: Final = """\
flow main 3.0.0
  "Offers everything that the called flows look after."
  reply within 10s
  use yes, no, agent from "std/basics.flow"
{uses}
state start
  say "What can I do for you?"
  listen
{arms}
    on silence 10m -> goodbye

{states}state again
  say "Is there anything else?"
  listen
    on yes -> start
    on no -> goodbye
    on silence 5m -> goodbye

state human
  handoff "service"

state goodbye
  say one of
    "Goodbye!"
    "Have a nice day!"
  end

anywhere
  on agent -> human
  on failure
    say "Something on our side does not work just now."
    -> human
  on silence 30m -> goodbye
  else
    say "Sorry, I did not get that."
    resume up to 2 -> human
"""

INTENT: Final = """intent want_{flow}
  "i have a question about {words}"
  "help me with {words}"

"""

STATE: Final = """state open_{flow}
  do result_{flow} = {flow}(greeting: "Let us see.")
  if result_{flow}.handled > 0
    mark "{flow} handled"
  -> again

"""


def project(lines: int) -> dict[str, str]:
    """The texts by path, `flowc.toml` among them, of a project with about `lines` lines of flows."""
    called: dict[str, str] = {}
    topic_size = TOPIC.count("\n")
    left = lines - MAIN.count("\n")
    while left > topic_size or not called:
        name = f"subject_{len(called) + 1:04}"
        called[name] = _subject(name, len(called) + 1, max(1, min(len(TOPICS), left // topic_size)))
        left -= called[name].count("\n") + INTENT.count("\n") + STATE.count("\n") + 2
    return {
        "flowc.toml": SETTINGS,
        "main.flow": _main(called),
        **{f"{name}.flow": text for name, text in called.items()},
    }


def _subject(name: str, number: int, size: int) -> str:
    topics = [f"topic_{number:04}_{letter}" for letter in TOPICS[:size]]
    pieces = [HEADER.format(flow=name, n=number)]
    for topic, after in zip(topics, (*(f"{each}_menu" for each in topics[1:]), "finish"), strict=True):
        facts = {"topic": topic, "Topic": topic.title().replace("_", ""), "n": number, "after": after}
        pieces.append(TOPIC.format(words=topic.replace("_", " "), **facts))
    pieces.append(FOOTER.replace("FIRST", f"{topics[0]}_menu"))
    return "".join(pieces)


def _main(called: dict[str, str]) -> str:
    uses = "".join(f'  use {name} from "{name}.flow"\n' for name in called)
    intents = "".join(INTENT.format(flow=name, words=name.replace("_", " ")) for name in called)
    arms = "\n".join(f"    on want_{name} -> open_{name}" for name in called)
    states = "".join(STATE.format(flow=name) for name in called)
    return MAIN.format(uses=f"{uses}\n{intents.rstrip()}\n", arms=arms, states=states)
