-- Commands stand in queues, one for each class, service and tenant (the owner of the conversation). `ready_ms` is a command's place in its
-- queue: when it could first be done, a little later for each that its conversation has before it.
ALTER TABLE command ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE command ADD COLUMN ready_ms INTEGER NOT NULL DEFAULT 0;
UPDATE command SET ready_ms = wait_ms,
  tenant = coalesce((SELECT owner FROM conversation WHERE place = command.home AND address = command.address), '');
DROP INDEX command_wait;
CREATE INDEX command_queue ON command (priority, service, tenant, ready_ms);
