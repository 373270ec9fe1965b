"""From what a user wrote to an intent and its entities: the port and its implementations."""
