-- `place` is the address's place in the tree: the first 8 bytes of its BLAKE2b, so its first byte is the shard. A row is rewritten in
-- each turn and may be long; with an integer key it costs one page, with a text key up to three (benchmarks/store.py).
CREATE TABLE conversation (
  place INTEGER PRIMARY KEY,
  address TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  deployment INTEGER NOT NULL,
  wait TEXT NOT NULL,
  priority INTEGER NOT NULL,
  jobs INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  erased INTEGER NOT NULL,
  owner TEXT NOT NULL,
  look_ms INTEGER NOT NULL,  -- when its row in `look` is due; 0: it has none
  journal INTEGER NOT NULL,  -- its last turn in `journal`
  taken INTEGER NOT NULL,    -- the highest inbox number that was ever taken
  timers BLOB NOT NULL,
  recent BLOB NOT NULL,
  position BLOB NOT NULL
) STRICT;

-- Incarnations that ended while jobs were outstanding, once the next one has begun.
CREATE TABLE retired (
  shard INTEGER NOT NULL,
  address TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  deployment INTEGER NOT NULL,
  wait TEXT NOT NULL,
  priority INTEGER NOT NULL,
  jobs INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  owner TEXT NOT NULL,
  look_ms INTEGER NOT NULL,
  timers BLOB NOT NULL,
  position BLOB NOT NULL,
  PRIMARY KEY (shard, address, incarnation)
) STRICT, WITHOUT ROWID;

-- Only appended. No index: the turns of an address are a chain from its newest one back. An index by address would rewrite one more page
-- a turn. `id` is a place in this file and never leaves it.
CREATE TABLE journal (
  id INTEGER PRIMARY KEY,
  previous INTEGER NOT NULL,
  address TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  deployment INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  reply_count INTEGER NOT NULL,
  wait TEXT NOT NULL,
  cause BLOB,
  digest BLOB,
  seed BLOB NOT NULL,
  state_hash BLOB NOT NULL,
  event BLOB NOT NULL,
  reads BLOB NOT NULL,
  replies BLOB NOT NULL,
  notes BLOB NOT NULL
) STRICT;

CREATE TABLE inbox (
  shard INTEGER NOT NULL,
  address TEXT NOT NULL,
  number INTEGER NOT NULL,
  hash BLOB NOT NULL,
  kind TEXT NOT NULL,
  priority INTEGER NOT NULL,
  incarnation INTEGER,
  at_ms INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  server TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL,
  digest BLOB NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (shard, address, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_lease ON inbox (priority, lease_ms);

-- Outstanding commands only. `wait_ms`: its due time, or the end of its lease.
CREATE TABLE command (
  shard INTEGER NOT NULL,
  address TEXT NOT NULL,
  key TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  home INTEGER NOT NULL,  -- place of its conversation
  priority INTEGER NOT NULL,
  wait_ms INTEGER NOT NULL,
  started INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  server TEXT,
  deferred INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  cause BLOB,
  spot TEXT NOT NULL,
  service TEXT NOT NULL,
  operation TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (shard, address, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX command_wait ON command (priority, wait_ms);

-- Results that came after their command was done.
CREATE TABLE late (
  shard INTEGER NOT NULL,
  address TEXT NOT NULL,
  key TEXT NOT NULL,
  number INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (shard, address, key, number)
) STRICT, WITHOUT ROWID;

-- When to look at a conversation's timers. A row here may be too early, never too late, and most turns need not touch it.
CREATE TABLE look (
  due_ms INTEGER NOT NULL,
  shard INTEGER NOT NULL,
  address TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  server TEXT,
  attempt INTEGER NOT NULL,
  PRIMARY KEY (due_ms, shard, address, incarnation)
) STRICT, WITHOUT ROWID;

-- Conversations with replies that we have to send: those of the turns after `journal`, but for the first `skip` of them.
CREATE TABLE outgoing (
  shard INTEGER NOT NULL,
  address TEXT NOT NULL,
  journal INTEGER NOT NULL,
  skip INTEGER NOT NULL,
  server TEXT,
  attempt INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL,
  PRIMARY KEY (shard, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX outgoing_lease ON outgoing (lease_ms);

CREATE TABLE dead (
  shard INTEGER NOT NULL,
  address TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  tries INTEGER NOT NULL,
  reason TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (shard, address, incarnation, turn)
) STRICT, WITHOUT ROWID;

CREATE TABLE bundle (
  digest TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  content BLOB NOT NULL
) STRICT;

CREATE TABLE deployment (
  number INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  bot TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  kind TEXT NOT NULL,
  by TEXT NOT NULL,
  revision TEXT NOT NULL,
  share INTEGER NOT NULL
) STRICT;

CREATE TABLE server (
  name TEXT PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  digest TEXT,
  problem TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE pause (
  service TEXT PRIMARY KEY,
  by TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  rate INTEGER
) STRICT, WITHOUT ROWID;
