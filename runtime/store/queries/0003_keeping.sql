-- What somebody works on, so that the next server on the file finds it without a walk over all that waits.
CREATE INDEX look_server ON look (server) WHERE server IS NOT NULL;

-- An epoch begins where a store goes on from a backup. A backup has the next one with `begun_ms` 0; who opens it begins it.
CREATE TABLE epoch (
  number INTEGER PRIMARY KEY,
  backup_ms INTEGER NOT NULL,  -- when the backup was made
  begun_ms INTEGER NOT NULL
) STRICT;

-- Commands that were outstanding when an epoch began: nobody knows what became of them after the backup was made.
CREATE TABLE doubt (
  epoch INTEGER NOT NULL,
  shard INTEGER NOT NULL,
  address TEXT NOT NULL,
  key TEXT NOT NULL,
  service TEXT NOT NULL,
  operation TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (epoch, shard, address, key)
) STRICT, WITHOUT ROWID;
